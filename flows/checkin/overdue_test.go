package checkin_test

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
)

// TestRegistrationOverdue: what the police never heard becomes a person's at its due time, which the hotel says; the metrics
// and the alarm's rule say so too.
func TestRegistrationOverdue(t *testing.T) {
	t.Parallel()
	c := checkintest.Start(t, nil, checkintest.Hotel{ID: hotel, Settings: "  registration_due: 1s\n"})
	b := c.Book(hotel, "")
	c.Dial(hotel, "police", twin.Dial{Fault: twin.Hang}) // an attempt is still under way when it is due
	if got := checkintest.Outcome(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); got != "checked-in, register pending" {
		t.Fatal(got)
	}
	if fires(t, "WarmgateDeliveryGivenUp", metrics(t, c)) {
		t.Error("the alarm fires before it is due")
	}
	if n := series(metrics(t, c), "warmgate_outbox_waiting"); n != "1" {
		t.Errorf("%q registrations wait", n)
	}
	c.Eventually("the alarm that it is overdue", func() bool { return fires(t, "WarmgateEffectOverdue", metrics(t, c)) })
	c.Eventually("it is a person's", func() bool {
		open := c.Waiting()
		return len(open) == 1 && open[0].Kind == "registration-late"
	})
	seen := metrics(t, c)
	if !fires(t, "WarmgateDeliveryGivenUp", seen) || series(seen, "warmgate_assists_waiting") != "1" {
		t.Errorf("no alarm of\n%s", grep(seen, "warmgate_outbox"))
	}
	if age := series(seen, overdue+`_oldest_seconds{operation="police.register"}`); series(seen, overdue+`{operation="police.register"}`) != "1" ||
		age == "" || age == "0" || series(seen, overdue+`{operation="hotel.key-off"}`) != "0" {
		t.Errorf("while a person has it:\n%s", grep(seen, overdue))
	}
	c.Dial(hotel, "police", twin.Dial{})
	c.Eventually("it is sent again", func() bool {
		if open := c.Waiting(); len(open) == 1 { // the breaker may still be open: then it is a person's once more
			resolved(t, c, open[0].Kind, "send-again", nil)
		}
		return len(c.Truth(b).Police) == 1
	})
	complete(t, c, b)
	c.Quiet()
	if seen := metrics(t, c); fires(t, "WarmgateEffectOverdue", seen) {
		t.Errorf("once it is there:\n%s", grep(seen, overdue))
	}
}

const overdue = "warmgate_effects_overdue"

// fires says whether an alarm of configs/alerts.yaml fires: its expression is one figure, of any labels, and a bound. A change
// over a time is that since the start, when it was none.
func fires(t *testing.T, alarm, metrics string) bool {
	t.Helper()
	text, err := os.ReadFile("../../configs/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rule := regexp.MustCompile(`alert: ` + alarm + `\n\s+expr: (?:delta\()?(\w+)(?:\[\w+\]\))? > (\d+)\n`).FindSubmatch(text)
	if rule == nil {
		t.Fatalf("configs/alerts.yaml has no rule %s", alarm)
	}
	bound, err := strconv.ParseFloat(string(rule[2]), 64)
	if err != nil {
		t.Fatal(err)
	}
	values := regexp.MustCompile(`(?m)^`+string(rule[1])+`(?:\{[^}]*\})? (\S+)$`).FindAllStringSubmatch(metrics, -1)
	if len(values) == 0 {
		t.Fatalf("%s is no figure of the gateway", rule[1])
	}
	return slices.ContainsFunc(values, func(v []string) bool {
		value, err := strconv.ParseFloat(v[1], 64)
		return err == nil && value > bound
	})
}

// alerts is the part of Prometheus' rule file that the gateway's has.
type alerts struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         time.Duration     `yaml:"for"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

// TestAlarmsAreAboutFigures: every alarm is about figures that there are, and is explained.
func TestAlarmsAreAboutFigures(t *testing.T) {
	t.Parallel()
	body := metrics(t, start(t, ""))
	text, err := os.ReadFile("../../configs/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	var rules alerts
	if err := yaml.UnmarshalWithOptions(text, &rules, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	figure, n := regexp.MustCompile(`warmgate_\w+`), 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			n++
			names := figure.FindAllString(r.Expr, -1)
			if len(names) == 0 && r.Expr != `up{job="warmgate"} == 0` {
				t.Errorf("%s is about nothing: %s", r.Alert, r.Expr)
			}
			for _, name := range names {
				if !regexp.MustCompile(`(?m)^` + name + `(\{| )`).MatchString(body) {
					t.Errorf("%s is about %s, which is no figure", r.Alert, name)
				}
			}
			if r.Annotations["summary"] == "" || !strings.Contains(string(manual), "`"+r.Alert+"`") {
				t.Errorf("%s is not explained", r.Alert)
			}
		}
	}
	if n < 6 {
		t.Errorf("%d alarms", n)
	}
}
