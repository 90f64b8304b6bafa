package schema

import (
	"strings"
	"testing"
)

// A schema whose member lost its name to a flipped bit must not read as a
// table without a key.
func TestTableFilesMustNameTheirKeys(t *testing.T) {
	const whole = `{"version":3,"id":0,"fields":[{"id":0,"name":"k","type":"INT NOT NULL"}],"highestFieldId":0,"partitionKeys":[],"primaryKeys":["k"],"options":{}}`
	if _, err := ParseTable([]byte(whole)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fields", "partitionKeys", "primaryKeys", "options"} {
		_, err := ParseTable([]byte(strings.Replace(whole, name, "?"+name[1:], 1)))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
