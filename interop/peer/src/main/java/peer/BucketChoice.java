package peer;

import org.apache.paimon.data.InternalRow;
import org.apache.paimon.index.BucketAssigner;
import org.apache.paimon.index.HashBucketAssigner;
import org.apache.paimon.index.SimpleHashBucketAssigner;
import org.apache.paimon.table.BucketMode;
import org.apache.paimon.table.FileStoreTable;
import org.apache.paimon.table.sink.RowKeyExtractor;

/** The buckets that rows of a table with dynamic buckets get, by the assigners of Paimon's jobs. */
final class BucketChoice {
    final BucketAssigner assigner;
    private final RowKeyExtractor extractor;

    private BucketChoice(FileStoreTable t, BucketAssigner assigner) {
        this.assigner = assigner;
        this.extractor = t.createRowKeyExtractor();
    }

    /** By the hash index of the table, which new keys join. */
    static BucketChoice of(FileStoreTable t, String user) {
        var index = t.store().newIndexFileHandler();
        return new BucketChoice(t, new HashBucketAssigner(t.snapshotManager(), user, index, 1, 1, 0, t.coreOptions().dynamicBucketTargetRowNum(), most(t)));
    }

    /** As if the table were empty; null where the rows themselves say their bucket. */
    static BucketChoice ofOverwrite(FileStoreTable t) {
        if (t.bucketMode() != BucketMode.HASH_DYNAMIC) {
            return null;
        }
        return new BucketChoice(t, new SimpleHashBucketAssigner(1, 0, t.coreOptions().dynamicBucketTargetRowNum(), most(t)));
    }

    private static int most(FileStoreTable t) {
        Integer n = t.coreOptions().dynamicBucketMaxBuckets();
        return n == null ? -1 : n;
    }

    int of(InternalRow row) {
        extractor.setRecord(row);
        return assigner.assign(extractor.partition(), extractor.trimmedPrimaryKey().hashCode());
    }
}
