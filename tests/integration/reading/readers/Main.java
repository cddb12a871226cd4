// Decodes the lines of standard input, `GROUP ENCODING VALUE`, and prints the numbers of each, or
// the error. Bytes are in base64, maps are `x,y,z;x,y,z;...`.
import java.util.*;

class Main {
    public static void main(String[] arguments) {
        float[] pose = null;
        for (Scanner lines = new Scanner(System.in); lines.hasNextLine();) {
            String[] part = lines.nextLine().split(" ");
            float[] numbers;
            if (part[1].equals("maps")) {
                List<Map<String, Float>> points = new ArrayList<>();
                for (String row : part[2].split(";")) {
                    Map<String, Float> point = new HashMap<>();
                    for (String text : row.split(","))
                        point.put(List.of("x", "y", "z", "visibility").get(point.size()),
                            Float.valueOf(text));
                    points.add(point);
                }
                numbers = Landmarks.fromMaps(points);
            } else {
                byte[] bytes = Base64.getDecoder().decode(part[2]);
                String encoding = part[1].equals("binary") ? null : part[1];
                try {
                    numbers = Landmarks.fromBytes(part[0], bytes, encoding, pose);
                } catch (IllegalArgumentException error) {
                    System.out.println(error.getMessage());
                    continue;
                }
            }
            if (part[0].equals("pose_landmarks")) pose = numbers;
            StringBuilder line = new StringBuilder();
            for (float number : numbers) line.append((double) number).append(' ');
            System.out.println(line);
        }
    }
}
