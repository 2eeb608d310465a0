package place

import "math"

// vector is a point of the unit sphere.
type vector struct{ x, y, z float64 }

func vectorOf(lat, lon float64) vector {
	sinLat, cosLat := math.Sincos(lat * degree)
	sinLon, cosLon := math.Sincos(lon * degree)
	return vector{cosLat * cosLon, cosLat * sinLon, sinLat}
}

// chord2 returns the square of the straight line between two points, through the sphere. It grows with their distance and
// is exact for near ones, where the cosine of the angle has no digits left.
func (v vector) chord2(w vector) float64 {
	dx, dy, dz := v.x-w.x, v.y-w.y, v.z-w.z
	return dx*dx + dy*dy + dz*dz
}

// chord2 returns the square of the chord of a distance on the earth.
func chord2(metres float64) float64 {
	if metres >= halfway {
		return math.Inf(1)
	}
	chord := 2 * math.Sin(metres/(2*earthRadius))
	return chord * chord
}

// metres returns the distance on the earth that has the chord.
func metres(chord2 float64) float64 {
	return 2 * earthRadius * math.Asin(min(1, math.Sqrt(chord2)/2))
}

// box is a range of longitude and latitude, degrees.
type box struct{ min, max [2]float64 }

// slack widens boxes against rounding: a tenth of a millimetre on the ground. Who is in the circle is told by the chord.
const slack = 1e-9

// boxesOf returns boxes that hold all of a circle, one or two: a circle over the antimeridian has a part on either side, and
// one that reaches a pole has all longitudes.
func boxesOf(lat, lon, radius float64) (boxes [2]box, n int) {
	angle := min(radius/earthRadius, math.Pi) / degree
	south, north := lat-angle-slack, lat+angle+slack
	if south <= -90 || north >= 90 {
		boxes[0] = box{[2]float64{-180, max(south, -90)}, [2]float64{180, min(north, 90)}}
		return boxes, 1
	}
	// Where a meridian touches the circle it's at a right angle to the radius: sin(half) = sin(angle) / cos(lat).
	half := math.Asin(min(1, math.Sin(angle*degree)/math.Cos(lat*degree)))/degree + slack
	half += half * slack // near a pole the arc sine is steep
	west, east := lon-half, lon+half
	switch {
	case west <= -180: // at ±180 exactly the same point is written in two ways
		boxes[0] = box{[2]float64{-180, south}, [2]float64{east, north}}
		boxes[1] = box{[2]float64{west + 360, south}, [2]float64{180, north}}
		return boxes, 2
	case east >= 180:
		boxes[0] = box{[2]float64{west, south}, [2]float64{180, north}}
		boxes[1] = box{[2]float64{-180, south}, [2]float64{east - 360, north}}
		return boxes, 2
	}
	boxes[0] = box{[2]float64{west, south}, [2]float64{east, north}}
	return boxes, 1
}

// curve returns where a spot lies on a Hilbert curve through 2^16 × 2^16 cells of longitude and latitude: what is near on it
// is near on the earth.
func curve(s Spot) uint64 {
	const side = 1 << 16
	x := uint32(min(side-1, max(0, (s.Lon+180)/360*side)))
	y := uint32(min(side-1, max(0, (s.Lat+90)/180*side)))
	var d uint64
	for half := uint32(side / 2); half > 0; half /= 2 {
		var right, up uint32
		if x&half != 0 {
			right = 1
		}
		if y&half != 0 {
			up = 1
		}
		d += uint64(half) * uint64(half) * uint64((3*right)^up)
		if up == 0 {
			if right == 1 {
				x, y = side-1-x, side-1-y
			}
			x, y = y, x
		}
	}
	return d
}
