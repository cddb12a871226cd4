import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;

/** Decodes a group of landmarks into rows of x, y, z and, for the pose, visibility. */
final class Landmarks {
    private Landmarks() {}

    /**
     * Decodes a group's bytes. The encoding is the item's attribute, null if it has none.
     * As int16, world landmarks have the visibility of the same person's decoded pose.
     */
    static float[] fromBytes(String group, byte[] bytes, String encoding, float[] pose) {
        ByteBuffer b = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (encoding == null) {
            float[] numbers = new float[bytes.length / 4];
            b.asFloatBuffer().get(numbers);
            return numbers;
        }
        if (!encoding.equals("int16")) throw new IllegalArgumentException("unknown encoding " + encoding);
        boolean isPose = group.equals("pose_landmarks"), isWorld = group.equals("pose_world_landmarks");
        int columns = isPose || isWorld ? 4 : 3;
        float[] numbers = new float[isWorld ? bytes.length / 6 * 4 : bytes.length / 2];
        for (int i = 0; i < numbers.length; i++) {
            boolean isVisibility = i % columns == 3;
            if (isVisibility && isWorld) numbers[i] = pose[i];
            else numbers[i] = b.getShort() / (isVisibility ? 32767f : isPose ? 4096f : 16384f);
        }
        return numbers;
    }

    /** Flattens a group that is a list of maps. */
    static float[] fromMaps(List<? extends Map<String, ? extends Number>> points) {
        String[] columns = {"x", "y", "z", "visibility"};
        int count = points.get(0).size();
        float[] numbers = new float[points.size() * count];
        for (int i = 0; i < numbers.length; i++)
            numbers[i] = points.get(i / count).get(columns[i % count]).floatValue();
        return numbers;
    }
}
