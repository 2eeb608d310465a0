package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/warmgate/warmgate/backends/city"
	"github.com/warmgate/warmgate/backends/ohip"
)

// WriteHotels writes the venues' files of a town of count hotels into folder, HOTEL.yaml each: the same always for a seed.
// A file that is right already is left alone; one of a hotel beyond count goes.
func WriteHotels(folder string, count int, seed uint64) error {
	var hotels []ohip.TownHotel
	if count > 0 {
		var err error
		if hotels, err = city.Hotels(count, seed); err != nil {
			return err
		}
	}
	left, err := filesOfHotels(folder)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	for i := range hotels {
		name := city.VenueOf(hotels[i].ID) + ".yaml"
		delete(left, name)
		text.Reset()
		hotelFile(&text, &hotels[i])
		if err := writeChanged(filepath.Join(folder, name), text.Bytes()); err != nil {
			return fmt.Errorf("cannot write a hotel's file: %w", err)
		}
	}
	for name := range left {
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("cannot remove the file of a hotel that is no more: %w", err)
		}
	}
	return nil
}

// filesOfHotels lists what earlier towns have left in folder.
func filesOfHotels(folder string) (map[string]bool, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot list the venues' files: %w", err)
	}
	all := map[string]bool{}
	for _, e := range entries {
		if id, is := strings.CutSuffix(e.Name(), ".yaml"); is && city.IsTownVenue(id) {
			all[e.Name()] = true
		}
	}
	return all, nil
}

// writeChanged writes a file, for its owner alone, unless it has this text already.
func writeChanged(name string, text []byte) error {
	there, err := os.ReadFile(name)
	if err == nil && bytes.Equal(there, text) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(name, text, 0o600)
}

// hotelFile writes the venue's file of a hotel of the town: it has no kiosk, and says what the hotel's system does not, and for how
// many a kind is, so that what the hotel tells on its own answers for them.
func hotelFile(w *bytes.Buffer, h *ohip.TownHotel) {
	id := city.VenueOf(h.ID)
	fmt.Fprintf(w, "id: %s\nkind: hotel\ntenant: %s\n", id, tenant)
	fmt.Fprintf(w, "name: { zh: %q, en: %q }\ntime_zone: Asia/Shanghai\n", h.NameZh, h.NameEn)
	town := city.TownPlace()
	fmt.Fprintf(w, "connectors:\n  pms:\n    connector: %s\n    url: ${%s:-http://127.0.0.1:9010}\n", town.Kind, Variable(town.Kind, town.Instance))
	fmt.Fprintf(w, "    secrets: { client_secret: { file: \"${WARMGATE_SECRETS:-../data/secrets}/%s-%s\" } }\n", town.Kind, town.Instance)
	fmt.Fprintf(w, "    options: { hotel_id: %s, accessible: [%s] }\nrooms:\n  at: { lat: %.6f, lon: %.6f }\n  kinds:\n",
		h.ID, ohip.SandboxAccessible, h.Lat, h.Lon)
	for i := range h.Types {
		k := &h.Types[i]
		fmt.Fprintf(w, "    %s: { name: { zh: %s, en: %q }, guests: %d }\n", k.Code, kindInChinese(k.Code), k.Name, k.People)
	}
}

// kindInChinese is what the town's system does not say.
func kindInChinese(code string) string {
	switch code {
	case "STD":
		return "标准大床房"
	case "TWN":
		return "标准双床房"
	case "DLX":
		return "豪华房"
	case "STE":
		return "套房"
	case "EASY":
		return "无障碍房"
	}
	return "客房"
}
