package runner

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// options are the script's, validated and scaled.
type options struct {
	scenarios       []*scenario // by name
	thresholds      map[string][]string
	tags            map[string]string
	setupTimeout    time.Duration
	teardownTimeout time.Duration
	userAgent       string
	trendStats      []string
	raw             string // as the script exports them, JSON
}

// rawOptions is what a script may export as options; anything else is refused by name.
type rawOptions struct {
	Scenarios         map[string]rawScenario    `json:"scenarios"`
	Thresholds        map[string][]rawThreshold `json:"thresholds"`
	Tags              map[string]string         `json:"tags"`
	VUs               int                       `json:"vus"`
	Iterations        int                       `json:"iterations"`
	Duration          duration                  `json:"duration"`
	SetupTimeout      duration                  `json:"setupTimeout"`
	TeardownTimeout   duration                  `json:"teardownTimeout"`
	UserAgent         string                    `json:"userAgent"`
	SummaryTrendStats []string                  `json:"summaryTrendStats"`
}

// rawScenario holds the members of all known executors; validate refuses those of another one.
type rawScenario struct {
	Executor        string            `json:"executor"`
	Exec            string            `json:"exec,omitzero"`
	StartTime       duration          `json:"startTime,omitzero"`
	GracefulStop    *duration         `json:"gracefulStop,omitzero"`
	Env             map[string]string `json:"env,omitzero"`
	Tags            map[string]string `json:"tags,omitzero"`
	Rate            int               `json:"rate,omitzero"`
	StartRate       int               `json:"startRate,omitzero"`
	TimeUnit        duration          `json:"timeUnit,omitzero"`
	Duration        duration          `json:"duration,omitzero"`
	MaxDuration     duration          `json:"maxDuration,omitzero"`
	Stages          []rawStage        `json:"stages,omitzero"`
	PreAllocatedVUs int               `json:"preAllocatedVUs,omitzero"`
	MaxVUs          int               `json:"maxVUs,omitzero"`
	VUs             int               `json:"vus,omitzero"`
	Iterations      int               `json:"iterations,omitzero"`
}

type rawStage struct {
	Target   int      `json:"target"`
	Duration duration `json:"duration"`
}

// rawThreshold is an expression, or an object with one.
type rawThreshold string

func (t *rawThreshold) UnmarshalJSON(b []byte) error {
	var source string
	if jsontext.Value(b).Kind() == '"' {
		err := json.Unmarshal(b, &source)
		*t = rawThreshold(source)
		return err
	}
	var object struct {
		Threshold   string `json:"threshold"`
		AbortOnFail bool   `json:"abortOnFail"`
	}
	if err := json.Unmarshal(b, &object, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	if object.AbortOnFail {
		return errors.New("abortOnFail is not known to this runner: thresholds are judged at the end")
	}
	*t = rawThreshold(object.Threshold)
	return nil
}

// duration is "1m30s", or a number of milliseconds.
type duration time.Duration

func (d *duration) UnmarshalJSON(b []byte) error {
	if jsontext.Value(b).Kind() != '"' {
		var ms float64
		err := json.Unmarshal(b, &ms)
		*d = duration(ms * float64(time.Millisecond))
		return err
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(text)
	if err == nil && parsed < 0 {
		err = fmt.Errorf("duration %s is negative", text)
	}
	*d = duration(parsed)
	return err
}

// options reads what the script exports.
func (v *vu) options(scale Scale) (options, error) {
	source := "{}"
	if exported := v.exports.Get("options"); exported != nil && !goja.IsUndefined(exported) {
		var err error
		if source, err = v.stringify(exported); err != nil {
			return options{}, fmt.Errorf("options: %w", err)
		}
	}
	var raw rawOptions
	if err := json.Unmarshal([]byte(source), &raw, json.RejectUnknownMembers(true)); err != nil {
		return options{}, fmt.Errorf("options: %w", err)
	}
	o := options{
		thresholds: map[string][]string{}, tags: raw.Tags, raw: source,
		setupTimeout:    cmp.Or(time.Duration(raw.SetupTimeout), time.Minute),
		teardownTimeout: cmp.Or(time.Duration(raw.TeardownTimeout), time.Minute),
		userAgent:       cmp.Or(raw.UserAgent, "warmgate-loadtest"),
		trendStats:      raw.SummaryTrendStats,
	}
	if o.trendStats == nil {
		o.trendStats = []string{"avg", "min", "med", "max", "p(90)", "p(95)"}
	}
	for _, stat := range o.trendStats {
		if _, err := aggregate(trend, stat); err != nil {
			return options{}, fmt.Errorf("options.summaryTrendStats: %w", err)
		}
	}
	for key, list := range raw.Thresholds {
		for _, t := range list {
			o.thresholds[key] = append(o.thresholds[key], string(t))
		}
	}
	var err error
	o.scenarios, err = raw.scenarios(scale)
	return o, err
}

// scenarios validates and scales them. Without any, the short form makes one: iterations, or a duration.
func (raw *rawOptions) scenarios(scale Scale) ([]*scenario, error) {
	short := raw.VUs != 0 || raw.Iterations != 0 || raw.Duration != 0
	if len(raw.Scenarios) > 0 && short {
		return nil, errors.New("options: scenarios stand beside vus, iterations or duration; use one of them")
	}
	if len(raw.Scenarios) == 0 {
		one := rawScenario{Executor: "shared-iterations", VUs: raw.VUs, Iterations: raw.Iterations, MaxDuration: raw.Duration}
		if raw.Duration != 0 && raw.Iterations == 0 {
			one = rawScenario{Executor: "constant-vus", VUs: raw.VUs, Duration: raw.Duration}
		}
		raw.Scenarios = map[string]rawScenario{"default": one}
	}
	var out []*scenario
	for _, name := range slices.Sorted(maps.Keys(raw.Scenarios)) {
		sc := raw.Scenarios[name]
		s, err := sc.scenario(name, scale)
		if err != nil {
			return nil, fmt.Errorf("options.scenarios.%s: %w", name, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// scenario validates one and gives it its executor.
func (raw *rawScenario) scenario(name string, scale Scale) (*scenario, error) {
	if err := raw.onlyOwnMembers(); err != nil {
		return nil, err
	}
	s := &scenario{
		name: name, exec: cmp.Or(raw.Exec, "default"), env: raw.Env, tags: raw.Tags,
		startTime: time.Duration(raw.StartTime), gracefulStop: 30 * time.Second,
		vus: cmp.Or(raw.VUs, 1), maxVUs: cmp.Or(raw.VUs, 1),
	}
	if raw.GracefulStop != nil {
		s.gracefulStop = time.Duration(*raw.GracefulStop)
	}
	factor := cmp.Or(scale.Rate, 1)
	perUnit := factor / cmp.Or(time.Duration(raw.TimeUnit), time.Second).Seconds()
	switch raw.Executor {
	case "constant-arrival-rate":
		perSecond := float64(raw.Rate) * perUnit
		s.stages = []stage{{from: perSecond, to: perSecond, length: time.Duration(raw.Duration)}}
	case "ramping-arrival-rate":
		from := float64(raw.StartRate) * perUnit
		for _, r := range raw.Stages {
			to := float64(r.Target) * perUnit
			s.stages = append(s.stages, stage{from: from, to: to, length: time.Duration(r.Duration)})
			from = to
		}
	case "constant-vus":
		s.length = time.Duration(raw.Duration)
	case "shared-iterations":
		s.iterations = max(1, int(float64(cmp.Or(raw.Iterations, 1))*factor))
		s.length = cmp.Or(time.Duration(raw.MaxDuration), 10*time.Minute)
	}
	if s.stages != nil {
		s.vus, s.maxVUs = raw.PreAllocatedVUs, max(raw.PreAllocatedVUs, raw.MaxVUs)
		for _, g := range s.stages {
			s.length += g.length
		}
	}
	if s.length <= 0 || s.vus <= 0 || (raw.Executor == "constant-arrival-rate" && raw.Rate <= 0) {
		return nil, fmt.Errorf("%s needs a duration, virtual users and a rate above zero", raw.Executor)
	}
	s.shorten(scale.Duration)
	return s, nil
}

// onlyOwnMembers refuses an unknown executor, and a member that belongs to another one.
func (raw *rawScenario) onlyOwnMembers() error {
	own, known := map[string]string{
		"constant-arrival-rate": "rate timeUnit duration preAllocatedVUs maxVUs",
		"ramping-arrival-rate":  "startRate timeUnit stages preAllocatedVUs maxVUs",
		"constant-vus":          "vus duration",
		"shared-iterations":     "vus iterations maxDuration",
	}[raw.Executor]
	if !known {
		return fmt.Errorf("the executor %q is not known to this runner", raw.Executor)
	}
	allowed := strings.Fields(own + " executor exec startTime gracefulStop env tags")
	text, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	var set map[string]jsontext.Value
	if err := json.Unmarshal(bytes.TrimSpace(text), &set); err != nil {
		return err
	}
	for _, member := range slices.Sorted(maps.Keys(set)) {
		if !slices.Contains(allowed, member) {
			return fmt.Errorf("%s is no member of the executor %s", member, raw.Executor)
		}
	}
	return nil
}

// shorten holds the scenario to a longest duration; its stages shrink in proportion.
func (s *scenario) shorten(longest time.Duration) {
	if longest == 0 || s.length <= longest {
		return
	}
	part := float64(longest) / float64(s.length)
	for i := range s.stages {
		s.stages[i].length = time.Duration(float64(s.stages[i].length) * part)
	}
	s.length = longest
}
