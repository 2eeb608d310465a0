package tariff_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway/config"
)

// city is a file of testdata/cities: a published tariff, where it was published, and what stays cost under it.
type city struct {
	City       string          `yaml:"city"`
	Source     string          `yaml:"source"`
	Rules      []string        `yaml:"rules"`
	Simplified []string        `yaml:"simplified"`
	Zone       string          `yaml:"zone"`
	Currency   string          `yaml:"currency"`
	Tariff     tariff.Settings `yaml:"tariff"`
	Cases      []struct {
		From     string `yaml:"from"` // by the lot's clock, with the offset where it says the hour twice
		To       string `yaml:"to"`
		Vehicle  string `yaml:"vehicle"`
		Electric bool   `yaml:"electric"`
		Minor    int64  `yaml:"minor"`
	} `yaml:"cases"`
}

func TestPublishedTariffs(t *testing.T) {
	files, err := filepath.Glob("testdata/cities/*.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d cities, want at least 6: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var c city
			f, err := config.ReadFile(file, os.LookupEnv)
			if err == nil {
				err = f.Decode(&c)
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.City == "" || c.Source == "" || len(c.Rules) == 0 || len(c.Cases) < 4 {
				t.Fatal("a city names its source and rules, and has at least four cases")
			}
			checkCity(t, c)
		})
	}
}

func checkCity(t *testing.T, c city) {
	t.Helper()
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		t.Fatal(err)
	}
	made, err := tariff.New(c.Tariff, zone, c.Currency)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range c.Cases {
		p, err := made.Price(tariff.Visit{Entered: onWall(t, zone, k.From), Left: onWall(t, zone, k.To), Vehicle: k.Vehicle, Electric: k.Electric})
		if err != nil {
			t.Fatal(err)
		}
		checkPrice(t, p)
		if p.Minor != k.Minor {
			t.Errorf("%s to %s %s: %d, want %d\n%s", k.From, k.To, k.Vehicle, p.Minor, k.Minor, said(p))
		}
	}
}

// onWall reads "2006-01-02 15:04" by the clock of a zone, or with an offset behind it.
func onWall(t testing.TB, zone *time.Location, clock string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04 -07:00", clock)
	if err != nil {
		at, err = time.ParseInLocation("2006-01-02 15:04", clock, zone)
	}
	if err != nil {
		t.Fatal(err)
	}
	return at
}
