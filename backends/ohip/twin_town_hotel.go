package ohip

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
)

// TownHotel is a hotel of a town.
type TownHotel struct {
	ID     string     `json:"id"` // "H00042"
	NameZh string     `json:"name_zh"`
	NameEn string     `json:"name_en"`
	Lat    float64    `json:"lat"` // degrees, inside the town's ring
	Lon    float64    `json:"lon"`
	Rooms  int        `json:"rooms"` // 8 to 150
	Types  []TwinType `json:"types"`
	counts []int      // rooms of each type
}

// Hotels returns how many hotels there are.
func (t *Town) Hotels() int { return t.cfg.Hotels }

// HotelAt returns hotel n, 0 to Hotels()-1, made from the seed: always the same.
func (t *Town) HotelAt(n int) TownHotel { return t.hotel(n) }

// Hotel returns a hotel by its id, and whether the town has it.
func (t *Town) Hotel(id string) (TownHotel, bool) {
	n, ok := t.number(id)
	if !ok {
		return TownHotel{}, false
	}
	return t.hotel(n), true
}

func hotelID(n int) string { return fmt.Sprintf("H%05d", n) }

func (t *Town) number(id string) (int, bool) {
	if len(id) != 6 || id[0] != 'H' {
		return 0, false
	}
	n, err := strconv.Atoi(id[1:])
	return n, err == nil && n >= 0 && n < t.cfg.Hotels && id == hotelID(n)
}

func (t *Town) hotel(n int) TownHotel {
	h := TownHotel{ID: hotelID(n)}
	r := rand.New(rand.NewPCG(t.cfg.Seed, mixed(t.cfg.Seed, "hotel", h.ID)))
	h.NameZh, h.NameEn = hotelName(n)
	h.Lat, h.Lon = t.place(r)
	switch x := r.IntN(10); {
	case x < 6:
		h.Rooms = 8 + r.IntN(23)
	case x < 9:
		h.Rooms = 30 + r.IntN(31)
	default:
		h.Rooms = 60 + r.IntN(91)
	}
	seed := (&Twin{cfg: t.hotelConfig(h.ID)}).seed()
	add := func(count int, k TwinType) {
		if count > 0 {
			h.counts = append(h.counts, count)
			h.Types = append(h.Types, typed(seed, k))
		}
	}
	easy := 0
	if r.IntN(5) < 2 {
		easy = 1 + h.Rooms/50
	}
	ste, dlx, twn := h.Rooms/25, h.Rooms/6, h.Rooms/4
	add(h.Rooms-easy-ste-dlx-twn, TwinType{Code: "STD"})
	add(twn, TwinType{Code: "TWN"})
	add(dlx, TwinType{Code: "DLX"})
	add(ste, TwinType{Code: "STE"})
	add(easy, TwinType{Code: "EASY", Name: "Room for a wheelchair", Features: []string{SandboxAccessible}})
	return h
}

// count returns how many rooms of a type the hotel has.
func (h *TownHotel) count(kind string) int {
	if i := slices.IndexFunc(h.Types, func(k TwinType) bool { return k.Code == kind }); i >= 0 {
		return h.counts[i]
	}
	return 0
}

// rooms returns the hotel's rooms in the order of its types, 20 a floor.
func (h *TownHotel) rooms() []TwinRoom {
	all := make([]TwinRoom, 0, h.Rooms)
	for i, k := range h.Types {
		for range h.counts[i] {
			floor := strconv.Itoa(2 + len(all)/20)
			all = append(all, TwinRoom{ID: fmt.Sprintf("%s%02d", floor, 1+len(all)%20), Type: k.Code, Floor: floor})
		}
	}
	return all
}

// quarters is how many places of the town have most of its hotels.
const quarters = 6

// place returns where a hotel is: two in three are in a quarter, the nearer to its middle the more, the others anywhere.
func (t *Town) place(r *rand.Rand) (lat, lon float64) {
	x, y := inRing(r)
	if r.IntN(3) > 0 {
		middle := rand.New(rand.NewPCG(t.cfg.Seed, r.Uint64N(quarters)))
		qx, qy := inRing(middle)
		far, turn := 0.08*r.ExpFloat64(), 2*math.Pi*r.Float64()
		if nx, ny := 0.8*qx+far*math.Cos(turn), 0.8*qy+far*math.Sin(turn); nx*nx+ny*ny < 1 {
			x, y = nx, ny
		}
	}
	const kmPerDegree = 111.2
	lat = t.cfg.Lat + y*t.cfg.Radius/kmPerDegree
	lon = t.cfg.Lon + x*t.cfg.Radius/(kmPerDegree*math.Cos(t.cfg.Lat*math.Pi/180))
	return math.Round(lat*1e6) / 1e6, math.Round(lon*1e6) / 1e6
}

// inRing returns a place in a ring of radius 0.99 around 0, anywhere with the same chance.
func inRing(r *rand.Rand) (x, y float64) {
	far, turn := 0.99*math.Sqrt(r.Float64()), 2*math.Pi*r.Float64()
	return far * math.Cos(turn), far * math.Sin(turn)
}

// hotelName returns a name that no other hotel of the town has.
func hotelName(n int) (zh, en string) {
	places := []spelled{{"Hubin", "湖滨"}, {"Xixi", "西溪"}, {"Wulin", "武林"}, {"Qianjiang", "钱江"}, {"Longjing", "龙井"}, {"Gongchen", "拱宸"},
		{"Lingyin", "灵隐"}, {"Chengxi", "城西"}, {"Binjiang", "滨江"}, {"Nanshan", "南山"}, {"Dongzhan", "东站"}, {"Yuhang", "余杭"}, {"Linping", "临平"}}
	words := []spelled{{"Qingfeng", "清风"}, {"Mingyue", "明月"}, {"Yunqi", "云栖"}, {"Guihua", "桂花"}, {"Liulang", "柳浪"}, {"Hehua", "荷花"},
		{"Zhuyuan", "竹园"}, {"Chaxiang", "茶香"}, {"Yinxing", "银杏"}, {"Songhe", "松鹤"}, {"Xingchen", "星辰"}}
	kinds := []spelled{{"Hotel", "酒店"}, {"Guesthouse", "宾馆"}, {"Inn", "客栈"}, {"Apartments", "公寓"}, {"Courtyard", "庭院"}, {"Lodge", "旅舍"}, {"Grand Hotel", "大酒店"}}
	all := len(places) * len(words) * len(kinds) // the numbers of words have no divisor in common, so no pair comes twice
	p, w, k := places[n%len(places)], words[n%len(words)], kinds[n%len(kinds)]
	zh, en = p.chinese+w.chinese+k.chinese, p.latin+" "+w.latin+" "+k.latin
	if again := n / all; again > 0 {
		zh, en = fmt.Sprintf("%s%d号店", zh, again+1), fmt.Sprintf("%s No. %d", en, again+1)
	}
	return zh, en
}
