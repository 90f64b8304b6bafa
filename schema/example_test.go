package schema_test

import (
	"fmt"

	"github.com/tidelake/tidelake/schema"
)

func ExampleParseType() {
	t, err := schema.ParseType("row<id bigint not null, tags array<string>>")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t)
	// Output: ROW<`id` BIGINT NOT NULL, `tags` ARRAY<STRING>>
}

func ExampleParseTable() {
	t, err := schema.ParseTable([]byte(`{
	  "version" : 3, "id" : 0,
	  "fields" : [ { "id" : 0, "name" : "dt", "type" : "STRING NOT NULL" }, { "id" : 1, "name" : "k", "type" : "INT NOT NULL" } ],
	  "highestFieldId" : 1, "partitionKeys" : [ "dt" ], "primaryKeys" : [ "dt", "k" ],
	  "options" : { "bucket" : "2" }, "timeMillis" : 1795228189490
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.BucketMode(), t.KeyFields()[0].Name)
	// Output: fixed k
}

func ExampleDefinition_Table() {
	d, err := schema.ParseDefinition([]byte(`
columns:
  - {name: id, type: BIGINT}
  - {name: amount, type: "DECIMAL(10, 2)", default: 0}
primary-key: [id]
options: {bucket: 1}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := d.Table(1795228189490)
	if err != nil {
		fmt.Println(err)
		return
	}
	file, _ := t.Marshal()
	fmt.Println(string(file))
	// Output:
	// {
	//   "version" : 3,
	//   "id" : 0,
	//   "fields" : [ {
	//     "id" : 0,
	//     "name" : "id",
	//     "type" : "BIGINT NOT NULL"
	//   }, {
	//     "id" : 1,
	//     "name" : "amount",
	//     "type" : "DECIMAL(10, 2)",
	//     "defaultValue" : "0"
	//   } ],
	//   "highestFieldId" : 1,
	//   "partitionKeys" : [ ],
	//   "primaryKeys" : [ "id" ],
	//   "options" : {
	//     "bucket" : "1"
	//   },
	//   "timeMillis" : 1795228189490
	// }
}

func ExampleParseOptions() {
	o, err := schema.ParseOptions(map[string]string{
		"bucket": "4", "write-buffer-size": "64 mb", "partition.expiration-time": "1 d",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(o.Bucket, o.WriteBufferSize, o.FileFormat)
	for _, w := range o.Warnings() {
		fmt.Println(w)
	}
	// Output:
	// 4 67108864 parquet
	// option partition.expiration-time has no effect: steers the expiry of partitions, which does not run here; engines that expire partitions honour it, and DropPartitions drops them
}

func ExampleOptions_CheckWrite() {
	o, _ := schema.ParseOptions(map[string]string{"bucket": "1", "file.format": "orc"})
	fmt.Println(o.CheckWrite(&schema.Table{PrimaryKeys: []string{"id"}}))
	// Output: not supported: writing a table with file.format = "orc" (set file.format to parquet or avro, or write through Paimon)
}

func ExampleTable_Alter() {
	def, _ := schema.ParseDefinition([]byte(`{"columns": [{"name": "id", "type": "BIGINT"}, {"name": "n", "type": "INT"}], "primary-key": ["id"], "options": {"bucket": 1}}`))
	before, _ := def.Table(0)
	after, err := before.Alter([]schema.Change{
		schema.AddColumn{Path: schema.Path{"note"}, Type: schema.Type{Kind: schema.VarChar, Length: schema.MaxLength, Nullable: true}, Position: schema.After("id")},
		schema.UpdateColumnType{Path: schema.Path{"n"}, Type: schema.Type{Kind: schema.BigInt}, KeepNullability: true},
		schema.RenameColumn{Path: schema.Path{"n"}, Name: "amount"},
	}, true, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range after.Fields {
		fmt.Println(f.ID, f.Name, f.Type)
	}
	_, err = before.Alter([]schema.Change{schema.DropColumn{Path: schema.Path{"id"}}}, true, 0)
	fmt.Println(err)
	// Output:
	// 0 id BIGINT NOT NULL
	// 2 note STRING
	// 1 amount BIGINT
	// invalid: column id: a primary key column cannot be dropped
}
