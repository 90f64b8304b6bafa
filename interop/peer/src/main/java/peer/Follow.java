package peer;

import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.paimon.disk.IOManager;
import org.apache.paimon.table.FileStoreTable;
import org.apache.paimon.table.source.StreamTableScan;
import org.apache.paimon.table.source.TableRead;
import org.apache.paimon.table.source.TableScan;
import org.apache.paimon.table.source.snapshot.SnapshotReader;

/** A streaming scan that prints what it is told, and perhaps waits for more. */
final class Follow {
    private final Args args;
    private final PrintStream out;
    private final Ops.Query query;
    private final StreamTableScan scan;

    private Follow(FileStoreTable table, Args args, PrintStream out) throws Exception {
        this.args = args;
        this.out = out;
        Map<String, String> options = options(args.get("from", "full"));
        if (args.has("consumer")) {
            options.put("consumer-id", args.need("consumer"));
        }
        // a stream reads with the newest schema, wherever it starts
        query = Ops.query(table.copyWithoutTimeTravel(options), args.get("projection", null), args.get("filter", null));
        scan = query.builder.newStreamScan();
    }

    static void run(FileStoreTable table, Args args, PrintStream out) throws Exception {
        new Follow(table, args, out).follow();
    }

    private static Map<String, String> options(String from) {
        Map<String, String> o = new HashMap<>();
        if (from.equals("latest") || from.equals("compacted-full")) {
            o.put("scan.mode", from);
        } else if (from.equals("full")) {
            o.put("scan.mode", "latest-full");
        } else if (from.startsWith("full:")) {
            o.put("scan.mode", "from-snapshot-full");
            o.put("scan.snapshot-id", from.substring(5));
        } else if (from.startsWith("ts:")) {
            o.put("scan.mode", "from-timestamp");
            o.put("scan.timestamp-millis", from.substring(3));
        } else if (from.startsWith("created:")) {
            o.put("scan.mode", "from-creation-timestamp");
            o.put("scan.creation-time-millis", from.substring(8));
        } else {
            o.put("scan.mode", "from-snapshot");
            o.put("scan.snapshot-id", from);
        }
        return o;
    }

    private void follow() throws Exception {
        long wait = args.num("wait-ms", 0);
        long quiet = System.currentTimeMillis();
        try (IOManager io = IOManager.create(Writer.tmp())) {
            TableRead read = query.builder.newRead().executeFilter().withIOManager(io);
            while (true) {
                Long before = scan.checkpoint();
                TableScan.Plan plan = scan.plan();
                Long after = scan.checkpoint();
                long until = until();
                boolean moved = !Objects.equals(before, after);
                if (!plan.splits().isEmpty()) {
                    quiet = System.currentTimeMillis();
                    Long snapshot = ((SnapshotReader.Plan) plan).snapshotId();
                    if (snapshot != null && snapshot > until) {
                        return;
                    }
                    print(read, plan, snapshot);
                }
                if (moved) {
                    done(after);
                }
                if (after != null && after > until) {
                    return;
                }
                if (plan.splits().isEmpty() && !moved) {
                    if (!args.has("until-file") && System.currentTimeMillis() - quiet >= wait) {
                        return;
                    }
                    Thread.sleep(20);
                }
            }
        }
    }

    /** The last snapshot to print: given at once, or by a file that appears later. */
    private long until() throws Exception {
        if (!args.has("until-file")) {
            return args.num("until-snapshot", Long.MAX_VALUE);
        }
        Path file = Paths.get(args.need("until-file"));
        return Files.exists(file) ? Long.parseLong(Files.readString(file)) : Long.MAX_VALUE;
    }

    private void print(TableRead read, TableScan.Plan plan, Long snapshot) throws Exception {
        List<Ops.Line> lines = new ArrayList<>();
        Ops.read(
                read,
                plan.splits(),
                (r, s) -> {
                    StringBuilder b = new StringBuilder(160);
                    Rows.row(b, r, query.type, "\"_snapshot\":" + snapshot + ",\"_kind\":\"" + r.getRowKind().shortString() + "\"");
                    lines.add(new Ops.Line(Ops.key(r, query.type, query.sortKeys), b.toString()));
                });
        if (!args.has("unsorted")) {
            Ops.sort(lines, query.sortKeys.isEmpty());
        }
        lines.forEach(l -> out.println(l.text));
    }

    /** Everything before the snapshot is told: the consumer and whoever reads along may know. */
    private void done(Long next) {
        scan.notifyCheckpointComplete(next);
        if (args.has("progress")) {
            out.println("{\"_next\":" + next + "}");
            out.flush();
        }
    }
}
