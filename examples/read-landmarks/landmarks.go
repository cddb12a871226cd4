// Package landmarks decodes a group of landmarks into rows of x, y, z and, for the pose, visibility.
package landmarks

import (
	"encoding/binary"
	"fmt"
	"math"
)

// FromBytes decodes a group's bytes. The encoding is the item's attribute, "" if it has none.
// As int16, world landmarks have the visibility of the same person's decoded pose.
func FromBytes(group string, b []byte, encoding string, pose []float32) ([]float32, error) {
	var numbers []float32
	scales := []float32{16384, 16384, 16384}
	if group == "pose_landmarks" {
		scales = []float32{4096, 4096, 4096, 32767}
	}
	switch encoding {
	case "":
		for i := 0; i < len(b); i += 4 {
			numbers = append(numbers, math.Float32frombits(binary.LittleEndian.Uint32(b[i:])))
		}
	case "int16":
		for i := 0; 2*i < len(b); i++ {
			number := float32(int16(binary.LittleEndian.Uint16(b[2*i:])))
			numbers = append(numbers, number/scales[i%len(scales)])
			if group == "pose_world_landmarks" && i%3 == 2 {
				numbers = append(numbers, pose[len(numbers)])
			}
		}
	default:
		return nil, fmt.Errorf("unknown encoding %q", encoding)
	}
	return numbers, nil
}

// FromMaps flattens a group that is a list of maps, as attributevalue.Unmarshal fills it.
func FromMaps(points []map[string]float32) (numbers []float32) {
	for _, point := range points {
		for _, column := range []string{"x", "y", "z", "visibility"} {
			if number, found := point[column]; found {
				numbers = append(numbers, number)
			}
		}
	}
	return numbers
}
