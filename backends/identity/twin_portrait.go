package identity

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
)

// A portrait of the twin's is no picture of anybody. It is a grid of grey cells, drawn from a seed, above a strip that
// says whether a living person stood there: light, dark, or between. Cells are as large as the blocks of JPEG.
const (
	cells     = 8  // in a row and in a column
	cellSize  = 8  // pixels
	maxPixels = 25 // millions: what a camera makes, and no decompression bomb
	faint     = 16 // the least spread of grey, in 256 steps, on which a face can be seen
)

// grid is the grey of each cell, 0 to 255.
type grid [cells * cells]float64

func drawGrid(r *rand.Rand) (g grid) {
	for i := range g {
		g[i] = float64(r.IntN(256))
	}
	return g
}

// blend returns a grid that is as much g as share says, and else other.
func (g grid) blend(other grid, share float64) grid {
	for i := range g {
		g[i] = g[i]*share + other[i]*(1-share)
	}
	return g
}

// draw makes the JPEG of faces side by side, with the strip's grey below.
func draw(strip uint8, faces ...grid) []byte {
	const side = cells * cellSize
	img := image.NewGray(image.Rect(0, 0, side*len(faces), side+cellSize))
	for y := range side + cellSize {
		for x := range side * len(faces) {
			grey := strip
			if y < side {
				grey = uint8(faces[x/side][y/cellSize*cells+x%side/cellSize])
			}
			img.SetGray(x, y, color.Gray{Y: grey})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 90}); err != nil {
		panic("BUG: a picture of these bounds can be encoded: " + err.Error())
	}
	return out.Bytes()
}

// seen is what the twin sees on a picture.
type seen struct {
	face     grid
	liveness Liveness
	several  bool
}

// look reads a picture; ok is false when it is no JPEG or nobody is on it.
func look(picture []byte) (s seen, ok bool) {
	head, err := jpeg.DecodeConfig(bytes.NewReader(picture))
	if err != nil || head.Width < cells || head.Height < cells+1 || head.Width > maxPixels*1_000_000/head.Height {
		return seen{}, false
	}
	img, err := jpeg.Decode(bytes.NewReader(picture))
	if err != nil {
		return seen{}, false
	}
	b := img.Bounds()
	strip := b.Dy() / (cells + 1)
	below := image.Rect(b.Min.X, b.Max.Y-strip, b.Max.X, b.Max.Y)
	above := image.Rect(b.Min.X, b.Min.Y, b.Max.X, b.Max.Y-strip)
	s.several = above.Dx()*2 > above.Dy()*3
	for i := range s.face {
		x, y := i%cells, i/cells
		s.face[i] = mean(img, image.Rect(above.Min.X+above.Dx()*x/cells, above.Min.Y+above.Dy()*y/cells,
			above.Min.X+above.Dx()*(x+1)/cells, above.Min.Y+above.Dy()*(y+1)/cells))
	}
	switch grey := mean(img, below); {
	case grey > 170:
		s.liveness = LivenessPassed
	case grey < 85:
		s.liveness = LivenessFailed
	default:
		s.liveness = LivenessUnsure
	}
	return s, s.several || s.face.spread() >= faint
}

// mean returns the mean grey of a part of a picture, from a sample of it where it is large.
func mean(img image.Image, r image.Rectangle) float64 {
	sum, n := 0.0, 0
	step := max(1, r.Dx()/16, r.Dy()/16)
	for y := r.Min.Y; y < r.Max.Y; y += step {
		for x := r.Min.X; x < r.Max.X; x += step {
			grey, _ := color.GrayModel.Convert(img.At(x, y)).(color.Gray)
			sum += float64(grey.Y)
			n++
		}
	}
	return sum / float64(max(n, 1))
}

func (g *grid) average() float64 {
	sum := 0.0
	for _, v := range g {
		sum += v
	}
	return sum / float64(len(g))
}

// spread returns the standard deviation of the cells' grey.
func (g *grid) spread() float64 {
	avg, sum := g.average(), 0.0
	for _, v := range g {
		sum += (v - avg) * (v - avg)
	}
	return math.Sqrt(sum / float64(len(g)))
}

// alike returns how alike two faces are, 0 to 1: their correlation, to the thousandth.
func (g *grid) alike(other *grid) float64 {
	a, b := g.average(), other.average()
	scale := g.spread() * other.spread() * float64(len(g))
	if scale == 0 {
		return 0
	}
	sum := 0.0
	for i := range g {
		sum += (g[i] - a) * (other[i] - b)
	}
	return math.Round(1000*min(1, max(0, sum/scale))) / 1000
}
