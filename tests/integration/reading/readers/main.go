// Decodes the lines of standard input, `GROUP ENCODING VALUE`, and prints the numbers of each, or
// the error. Bytes are in base64, maps are `x,y,z;x,y,z;...`.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"

	"reader/landmarks"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	var pose []float32
	for lines.Scan() {
		part := strings.Split(lines.Text(), " ")
		var numbers []float32
		if part[1] == "maps" {
			var points []map[string]float32
			for _, row := range strings.Split(part[2], ";") {
				point := map[string]float32{}
				for i, text := range strings.Split(row, ",") {
					number, _ := strconv.ParseFloat(text, 32)
					point[[]string{"x", "y", "z", "visibility"}[i]] = float32(number)
				}
				points = append(points, point)
			}
			numbers = landmarks.FromMaps(points)
		} else {
			b, _ := base64.StdEncoding.DecodeString(part[2])
			encoding := strings.TrimPrefix(part[1], "binary")
			decoded, err := landmarks.FromBytes(part[0], b, encoding, pose)
			if err != nil {
				fmt.Println(err)
				continue
			}
			numbers = decoded
		}
		if part[0] == "pose_landmarks" {
			pose = numbers
		}
		for _, number := range numbers {
			fmt.Print(float64(number), " ")
		}
		fmt.Println()
	}
}
