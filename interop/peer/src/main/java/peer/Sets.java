package peer;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import org.apache.paimon.shade.org.apache.datasketches.hll.HllSketch;
import org.apache.paimon.shade.org.apache.datasketches.hll.TgtHllType;
import org.apache.paimon.shade.org.apache.datasketches.memory.Memory;
import org.apache.paimon.shade.org.apache.datasketches.theta.Sketch;
import org.apache.paimon.shade.org.apache.datasketches.theta.UpdateSketch;
import org.apache.paimon.shade.org.roaringbitmap.RoaringBitmap;
import org.apache.paimon.shade.org.roaringbitmap.longlong.Roaring64Bitmap;
import org.apache.paimon.utils.HllSketchUtil;
import org.apache.paimon.utils.RoaringBitmap32;
import org.apache.paimon.utils.RoaringBitmap64;
import org.apache.paimon.utils.ThetaSketch;

/** The serialised sets of the functions rbm32, rbm64, hll_sketch and theta_sketch, as hex. */
final class Sets {
    private Sets() {}

    static int run(Args a, PrintStream out) throws Exception {
        String kind = a.need("kind");
        if (a.has("union")) {
            String[] two = a.need("union").split(",");
            out.println("\"" + hex(union(kind, bytes(two[0]), bytes(two[1]))) + "\"");
        } else if (a.has("read")) {
            out.println(read(kind, bytes(a.need("read"))));
        } else {
            out.println("\"" + hex(make(kind, a)) + "\"");
        }
        return 0;
    }

    /** What Paimon's aggregator of the kind makes of an accumulator and an input. */
    private static byte[] union(String kind, byte[] acc, byte[] in) throws Exception {
        switch (kind) {
            case "hll_sketch":
                return HllSketchUtil.union(acc, in);
            case "theta_sketch":
                return ThetaSketch.union(acc, in);
            case "rbm32":
                RoaringBitmap32 x = new RoaringBitmap32();
                RoaringBitmap32 y = new RoaringBitmap32();
                x.deserialize(ByteBuffer.wrap(acc));
                y.deserialize(ByteBuffer.wrap(in));
                x.or(y);
                return x.serialize();
            default:
                RoaringBitmap64 v = new RoaringBitmap64();
                RoaringBitmap64 w = new RoaringBitmap64();
                v.deserialize(acc);
                w.deserialize(in);
                v.or(w);
                return v.serialize();
        }
    }

    /** The estimate of a sketch, or the values of a bitmap, as JSON. */
    private static String read(String kind, byte[] b) throws Exception {
        switch (kind) {
            case "hll_sketch":
                return String.valueOf(HllSketch.heapify(b).getEstimate());
            case "theta_sketch":
                return String.valueOf(Sketch.wrap(Memory.wrap(b)).getEstimate());
            case "rbm32":
                RoaringBitmap x = new RoaringBitmap();
                x.deserialize(ByteBuffer.wrap(b));
                StringBuilder s = new StringBuilder();
                x.forEach((int v) -> s.append(s.length() == 0 ? "" : ",").append(Integer.toUnsignedString(v)));
                return "[" + s + "]";
            default:
                Roaring64Bitmap w = new Roaring64Bitmap();
                w.deserialize(new DataInputStream(new ByteArrayInputStream(b)));
                StringBuilder t = new StringBuilder();
                w.forEach(v -> t.append(t.length() == 0 ? "" : ",").append(Long.toUnsignedString(v)));
                return "[" + t + "]";
        }
    }

    /** A set of the numbers FROM, FROM+STEP, ... of which there are COUNT. */
    private static byte[] make(String kind, Args a) throws Exception {
        long from = a.num("from", 0);
        long step = a.num("step", 1);
        long count = a.num("count", 0);
        boolean updatable = a.has("updatable");
        switch (kind) {
            case "hll_sketch":
                HllSketch h =
                        new HllSketch(
                                (int) a.num("lgk", 12), TgtHllType.valueOf(a.get("form", "HLL_4")));
                for (long i = 0; i < count; i++) {
                    h.update(from + i * step);
                }
                return updatable ? h.toUpdatableByteArray() : h.toCompactByteArray();
            case "theta_sketch":
                UpdateSketch t =
                        UpdateSketch.builder().setNominalEntries(1 << a.num("lgk", 12)).build();
                for (long i = 0; i < count; i++) {
                    t.update(from + i * step);
                }
                return updatable
                        ? t.toByteArray()
                        : t.compact(!a.has("unordered"), null).toByteArray();
            case "rbm32":
                RoaringBitmap x = new RoaringBitmap();
                for (long i = 0; i < count; i++) {
                    x.add((int) (from + i * step));
                }
                x.runOptimize();
                ByteBuffer buffer = ByteBuffer.allocate(x.serializedSizeInBytes());
                x.serialize(buffer);
                return buffer.array();
            default:
                Roaring64Bitmap w = new Roaring64Bitmap();
                for (long i = 0; i < count; i++) {
                    w.addLong(from + i * step);
                }
                if (!updatable) {
                    w.runOptimize();
                }
                ByteArrayOutputStream b = new ByteArrayOutputStream();
                w.serialize(new DataOutputStream(b));
                return b.toByteArray();
        }
    }

    private static byte[] bytes(String hex) {
        byte[] b = new byte[hex.length() / 2];
        for (int i = 0; i < b.length; i++) {
            b[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        return b;
    }

    private static String hex(byte[] b) {
        StringBuilder s = new StringBuilder();
        for (byte v : b) {
            s.append(Character.forDigit(v >> 4 & 15, 16)).append(Character.forDigit(v & 15, 16));
        }
        return s.toString();
    }
}
