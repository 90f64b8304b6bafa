package peer;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.paimon.CoreOptions;
import org.apache.paimon.data.BinaryRow;
import org.apache.paimon.data.InternalRow;
import org.apache.paimon.disk.IOManager;
import org.apache.paimon.io.CompactIncrement;
import org.apache.paimon.io.DataFileMeta;
import org.apache.paimon.io.DataIncrement;
import org.apache.paimon.manifest.ManifestEntry;
import org.apache.paimon.postpone.BucketFiles;
import org.apache.paimon.reader.RecordReader;
import org.apache.paimon.reader.RecordReaderIterator;
import org.apache.paimon.table.BucketMode;
import org.apache.paimon.table.FileStoreTable;
import org.apache.paimon.table.sink.CommitMessage;
import org.apache.paimon.table.sink.CommitMessageImpl;
import org.apache.paimon.table.sink.TableCommitImpl;
import org.apache.paimon.table.sink.TableWriteImpl;
import org.apache.paimon.table.source.DataSplit;
import org.apache.paimon.table.source.Split;

/** A table with bucket -2: the rows that wait there get their buckets, as Paimon's job for Flink gives them. */
final class Postponed {
    private Postponed() {}

    /** The table as one of so many buckets, which is how Paimon works on real buckets of such a table. */
    static FileStoreTable real(FileStoreTable t, int buckets) {
        Map<String, String> options = new HashMap<>(t.options());
        options.put(CoreOptions.BUCKET.key(), String.valueOf(buckets));
        return t.copy(t.schema().copy(options));
    }

    /** Moves all waiting rows in one commit; returns the number of partitions that had some. */
    static int move(FileStoreTable t, String user) throws Exception {
        int usual = t.coreOptions().toConfiguration().get(CoreOptions.POSTPONE_DEFAULT_BUCKET_NUM);
        FileStoreTable usualTable = real(t, usual);
        List<CommitMessage> all = new ArrayList<>();
        List<BinaryRow> partitions = usualTable.newSnapshotReader().withBucket(BucketMode.POSTPONE_BUCKET).partitions();
        for (BinaryRow p : partitions) {
            var there = t.newSnapshotReader().withPartitionFilter(List.of(p)).onlyReadRealBuckets().readFileIterator();
            ManifestEntry one = there.hasNext() ? there.next() : null;
            move(one == null ? usualTable : real(t, one.totalBuckets()), p, user, all);
        }
        if (!all.isEmpty()) {
            try (TableCommitImpl commit = usualTable.newCommit(user)) {
                commit.commit(Long.MAX_VALUE, all);
            }
        }
        return partitions.size();
    }

    private static void move(FileStoreTable t, BinaryRow partition, String user, List<CommitMessage> all) throws Exception {
        Map<Integer, BucketFiles> made = new TreeMap<>();
        try (IOManager io = IOManager.create(Writer.tmp());
                TableWriteImpl<?> write = t.newWrite(user)) {
            write.withIOManager(io);
            for (DataSplit s : waiting(t, partition)) {
                try (RecordReader<InternalRow> r = t.newRead().withIOManager(io).createReader(s);
                        RecordReaderIterator<InternalRow> rows = new RecordReaderIterator<>(r)) {
                    while (rows.hasNext()) {
                        write.write(rows.next());
                    }
                }
                CompactIncrement gone = new CompactIncrement(s.dataFiles(), Collections.emptyList(), Collections.emptyList());
                all.add(new CommitMessageImpl(partition, s.bucket(), s.totalBuckets(), DataIncrement.emptyIncrement(), gone));
            }
            for (CommitMessage m : write.prepareCommit(true, Long.MAX_VALUE)) {
                CommitMessageImpl message = (CommitMessageImpl) m;
                made.computeIfAbsent(
                                message.bucket(),
                                b -> new BucketFiles(t.store().pathFactory().createDataFilePathFactory(partition, b), t.fileIO()))
                        .update(message);
            }
        }
        made.forEach((bucket, files) -> all.add(files.makeMessage(partition, bucket)));
    }

    /** The waiting files of a partition, one in each split, in the order of their creation. */
    private static List<DataSplit> waiting(FileStoreTable t, BinaryRow partition) {
        List<DataSplit> out = new ArrayList<>();
        var reader = t.newSnapshotReader().withPartitionFilter(List.of(partition)).withBucket(BucketMode.POSTPONE_BUCKET);
        for (Split split : reader.read().splits()) {
            DataSplit s = (DataSplit) split;
            for (DataFileMeta f : s.dataFiles()) {
                out.add(
                        DataSplit.builder()
                                .withPartition(s.partition())
                                .withBucket(s.bucket())
                                .withBucketPath(s.bucketPath())
                                .withTotalBuckets(s.totalBuckets())
                                .withDataFiles(List.of(f))
                                .isStreaming(false)
                                .build());
            }
        }
        out.sort(Comparator.comparing(s -> s.dataFiles().get(0).creationTime()));
        return out;
    }

    /** Compacts the real buckets; returns their number. */
    static int compact(FileStoreTable t, boolean full, String user) throws Exception {
        Map<Integer, Set<Ops.Bucket>> byTotal = new TreeMap<>();
        Iterator<ManifestEntry> files = t.newSnapshotReader().onlyReadRealBuckets().readFileIterator();
        while (files.hasNext()) {
            ManifestEntry f = files.next();
            byTotal.computeIfAbsent(f.totalBuckets(), n -> new LinkedHashSet<>()).add(new Ops.Bucket(f.partition(), f.bucket()));
        }
        int units = 0;
        for (Map.Entry<Integer, Set<Ops.Bucket>> e : byTotal.entrySet()) {
            units += Ops.compact(real(t, e.getKey()), e.getValue(), full, user);
        }
        return units;
    }
}
