package serve

import (
	"strings"
	"testing"
)

func TestGoodConfigurationHolds(t *testing.T) {
	w := newWorld(t)
	g, err := Check(w.path("gateway.yaml"), w.flows(), w.env, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Proofs) != 1 || g.Proofs[0].Total != 400e6 {
		t.Errorf("proofs %+v", g.Proofs)
	}
	if connected, closed := w.stall.counts("one"); connected != 1 || closed != 1 {
		t.Errorf("a check left a connection open: %d connected, %d closed", connected, closed)
	}
}

// Each mistake is said with file, line and column, and the path where that helps.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ name, file, from, to, want string }{
		{"an unknown name", "gateway.yaml", "overhead:", "overhed:",
			`gateway.yaml:17:5: unknown field "overhed"`},
		{"a name twice", "gateway.yaml", "venues: venues\n", "venues: venues\nvenues: others\n",
			`gateway.yaml:5:1: mapping key "venues" already defined at [4:1]`},
		{"a wrong type", "gateway.yaml", "lease: 3s", "lease: [3s]",
			"gateway.yaml:18:12: must be a duration with its unit, such as 250ms, 30s or 10m, is a list"},
		{"no duration", "gateway.yaml", "lease: 3s", "lease: soon",
			`gateway.yaml:18:12: time: invalid duration "soon"`},
		{"an address", "gateway.yaml", "admin: 127.0.0.1:0", "admin: here",
			`gateway.yaml:2:8: admin: "here" is not an address such as 127.0.0.1:8080`},
		{"no data folder", "gateway.yaml", "data: data", `data: ""`, "gateway.yaml:3:7: data: must name a folder"},
		{"no venues", "gateway.yaml", "venues: venues", "venues: nowhere",
			"gateway.yaml: venues: the folder of the venues has no *.yaml"},
		{"a section's own check", "gateway.yaml", "algorithms: [EdDSA]", "algorithms: [HS256]",
			`gateway.yaml:8:34: auth.issuers[0].algorithms: must be EdDSA, ES256, RS256 or PS256, got "HS256"`},
		{"a policy", "gateway.yaml", "burst: 1000", "burst: 0",
			"gateway.yaml:11:69: limit.policies[0].burst: must be 1 to 1000000, got 0"},
		{"an edge that is wrong", "gateway.yaml", "auth:\n", "edge: { language: fr }\nauth:\n",
			"gateway.yaml:5:19: edge.language: must be zh-CN or en, not \"fr\""},
		{"a cache that is wrong", "gateway.yaml", "auth:\n", "cache: { max_bytes: 1 }\nauth:\n",
			"gateway.yaml:5:21: cache.max_bytes: must be at least 65536 (64 KiB), is 1"},
		{"a Redis that is wrong", "gateway.yaml", "auth:\n", "redis: { addresses: [here] }\nauth:\n",
			`gateway.yaml:5:22: redis.addresses[0]: "here" is not an address such as 10.0.0.7:6379`},
		{"a Redis with a password from two places", "gateway.yaml", "auth:\n", "redis: { addresses: [\"r:1\"], password: { env: X, file: y } }\nauth:\n",
			"gateway.yaml:5:42: redis.password: needs exactly one of env and file"},
		{"a Redis with a password that is not there", "gateway.yaml", "auth:\n", "redis: { addresses: [\"r:1\"], password: { env: X } }\nauth:\n",
			"gateway.yaml:5:47: redis.password.env: the environment has no X"},
		{"an environment that lacks a name", "gateway.yaml", "data: data", "data: ${NOWHERE}",
			"gateway.yaml:3:7: the environment has no NOWHERE, and no default is given"},
		{"no section for a plan", "gateway.yaml", "stall-word:", "stall-words:",
			"gateway.yaml:13:3: flows.stall-word: plan stall-word has no section\n" +
				"gateway.yaml:14:5: flows.stall-words: there is no plan of this name"},
		{"no slice for a step", "gateway.yaml", "ask: {", "asks: {",
			"gateway.yaml:20:7: flows.stall-word.steps.ask: step ask of plan stall-word has no slice\n" +
				"gateway.yaml:20:15: flows.stall-word.steps.asks: plan stall-word has no step asks that waits for a backend"},
		{"attempts that do not fit", "gateway.yaml", "slice: 300ms", "slice: 300ms, attempts: 3, attempt_timeout: 150ms",
			"gateway.yaml:20:21: flows.stall-word.steps.ask.slice: 3 attempts × 150ms + 2 back-offs × 0s = 450ms do not fit the slice of 300ms"},
		{"a plan that does not fit", "gateway.yaml", "slice: 300ms", "slice: 450ms",
			"gateway.yaml:15:21: flows.stall-word.machine_budget: plan stall-word needs 550ms, which is 50ms more than its machine budget of 500ms: " +
				"ask 450ms → …"},

		{"a venue's unknown name", "venues/one.yaml", "tenant:", "tennant:",
			`venues/one.yaml:3:1: unknown field "tennant"`},
		{"a venue's id", "venues/one.yaml", "id: one", "id: One",
			`venues/one.yaml:1:5: id: "One" must be lower-case letters, digits and dashes`},
		{"a venue twice", "venues/two.yaml", "id: two", "id: one", "venues/two.yaml: venue one is there twice"},
		{"a kind of venue", "venues/one.yaml", "kind: stall", "kind: palace",
			`venues/one.yaml:2:7: kind: "palace" is not a kind of venue: no journey serves it`},
		{"no tenant", "venues/one.yaml", "tenant: hangzhou\n", "", "venues/one.yaml: tenant: must not be empty"},
		{"a name in one language", "venues/one.yaml", ", en: A stall", "",
			"venues/one.yaml:4:9: name: must be there in zh and en"},
		{"a time zone", "venues/one.yaml", "Asia/Shanghai", "Asia/Hangzhou",
			`venues/one.yaml:5:12: time_zone: "Asia/Hangzhou" is not the name of a time zone, such as Asia/Shanghai`},
		{"this machine's time zone", "venues/one.yaml", "Asia/Shanghai", "Local",
			`venues/one.yaml:5:12: time_zone: "Local" is not the name of a time zone, such as Asia/Shanghai`},
		{"a role", "venues/one.yaml", "  till:\n", "  tills:\n",
			"venues/one.yaml:7:3: connectors.till: this role has no connector\n" +
				"venues/one.yaml:8:5: connectors.tills: a venue of kind stall has no such role"},
		{"a connector", "venues/one.yaml", "connector: drawer", "connector: cupboard",
			`venues/one.yaml:8:16: connectors.till.connector: "cupboard" is not a connector for this role: box, drawer`},
		{"an instance", "venues/one.yaml", "    options:", "    instance: { max_in_flight: -1 }\n    options:",
			"venues/one.yaml:12:32: connectors.till.instance.max_in_flight: must be 1 to 65536, is -1"},
		{"an option", "venues/one.yaml", "drawer: 1", "drawer: 4",
			"venues/one.yaml:13:15: connectors.till.options.drawer: must be 0 to 3"},
		{"an unknown option", "venues/one.yaml", "drawer: 1", "shelf: 1",
			`venues/one.yaml:13:7: connectors.till.options: unknown field "shelf"`},
		{"a setting", "venues/one.yaml", "word: hello", `word: ""`, "venues/one.yaml:15:9: settings.word: must not be empty"},
		{"a secret from nowhere", "venues/one.yaml", "{ env: TILL_KEY }", "{}",
			"venues/one.yaml:11:12: connectors.till.secrets.key: needs exactly one of env and file"},
		{"a secret from two places", "venues/one.yaml", "{ env: TILL_KEY }", "{ env: TILL_KEY, file: x }",
			"venues/one.yaml:11:14: connectors.till.secrets.key: needs exactly one of env and file"},
		{"a secret that is not there", "venues/one.yaml", "{ env: TILL_KEY }", "{ env: TILL_KEYS }",
			"venues/one.yaml:11:19: connectors.till.secrets.key.env: the environment has no TILL_KEYS"},
		{"a secret's file", "venues/one.yaml", "{ env: TILL_KEY }", "{ file: nowhere }",
			"venues/one.yaml:11:20: connectors.till.secrets.key.file: cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.edit(c.file, c.from, c.to)
			err := w.check()
			if err == nil {
				t.Fatalf("it holds; want %s", c.want)
			}
			got := strings.ReplaceAll(err.Error(), w.folder+"/", "")
			if start, long := strings.CutSuffix(c.want, "…"); got != c.want && !(long && strings.HasPrefix(got, start)) {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			for _, venue := range []string{"one", "two"} {
				if connected, closed := w.stall.counts(venue); connected != closed {
					t.Errorf("venue %s: %d connected, %d closed", venue, connected, closed)
				}
			}
		})
	}
}

// All mistakes of all files are there at once, in the order of files and lines.
func TestMistakesOfAllFilesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.edit("gateway.yaml", "overhead:", "overhed:")
	w.edit("gateway.yaml", "audience:", "audiences:")
	w.edit("venues/two.yaml", "kind: stall", "kind: palace")
	w.edit("venues/one.yaml", "word: hello", `word: ""`)
	w.edit("venues/one.yaml", "connector: drawer", "connector: cupboard")
	want := `gateway.yaml:6:3: unknown field "audiences"
gateway.yaml:17:5: unknown field "overhed"
venues/one.yaml:8:16: connectors.till.connector: "cupboard" is not a connector for this role: box, drawer
venues/one.yaml:15:9: settings.word: must not be empty
venues/two.yaml:2:7: kind: "palace" is not a kind of venue: no journey serves it`
	if err := w.check(); err == nil || strings.ReplaceAll(err.Error(), w.folder+"/", "") != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// Without credentials a configuration can be checked anywhere; a credential never shows.
func TestCheckWithoutCredentials(t *testing.T) {
	w := newWorld(t)
	w.edit("venues/one.yaml", "{ env: TILL_KEY }", "{ file: nowhere }")
	if _, err := Check(w.path("gateway.yaml"), w.flows(), w.env, false); err != nil {
		t.Error(err)
	}
}
