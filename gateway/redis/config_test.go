package redis

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

func TestConfigMistakes(t *testing.T) {
	one := []string{"127.0.0.1:6379"}
	for _, row := range []struct {
		name   string
		config Config
		want   string
	}{
		{"nothing", Config{}, ""},
		{"one server", Config{Addresses: one, Prefix: "city:west-1", Database: 3, Username: "gate"}, ""},
		{"sentinels", Config{Addresses: []string{"a:1", "b:2"}, Sentinel: "master", SentinelUsername: "gate"}, ""},
		{"cluster", Config{Addresses: []string{"a:1", "b:2"}, Cluster: true}, ""},
		{"address", Config{Addresses: []string{"127.0.0.1"}}, `addresses[0]: "127.0.0.1" is not an address such as 10.0.0.7:6379`},
		{"host", Config{Addresses: []string{":6379"}}, `addresses[0]: ":6379" is not an address such as 10.0.0.7:6379`},
		{"two", Config{Addresses: []string{"a:1", "b:2"}}, "addresses: 2 addresses need sentinel or cluster"},
		{"both", Config{Addresses: one, Sentinel: "m", Cluster: true}, "cluster: sentinels and a cluster exclude each other"},
		{"database", Config{Addresses: one, Database: -1}, "database: must not be negative, got -1"},
		{"database of a cluster", Config{Addresses: one, Cluster: true, Database: 1}, "database: a cluster has only database 0, got 1"},
		{"sentinel's user", Config{Addresses: one, SentinelUsername: "x"}, "sentinel_username: has no use without sentinel"},
		{"prefix", Config{Prefix: "{x}"}, `prefix: must be up to 64 lower-case letters, digits, dashes and colons, got "{x}"`},
		{"connections", Config{Connections: 1}, "connections: must be 2 to 1024, got 1"},
		{"timeout", Config{Timeout: time.Minute}, "timeout: must be 1ms to 10s, got 1m0s"},
		{"consecutive", Config{Breaker: BreakerConfig{Consecutive: -1}}, "breaker.consecutive: must be 1 to 1000, got -1"},
		{"open for", Config{Breaker: BreakerConfig{OpenFor: time.Millisecond}}, "breaker.open_for: must be 100ms to 5m, got 1ms"},
		{"tls off", Config{TLS: TLSConfig{Authority: "ca.pem"}}, "tls.enabled: must be true where other fields of tls are set"},
		{"tls key", Config{TLS: TLSConfig{Enabled: true, Certificate: "c.pem"}}, "tls.key: certificate and key belong together"},
	} {
		err := row.config.Validate()
		got := ""
		if err != nil {
			got = err.Error()
			if _, ok := errors.AsType[*gateway.FieldError](err); !ok {
				t.Errorf("%s: not a field error: %v", row.name, err)
			}
		}
		if got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// A file of the TLS section that is not what it should be is named before anything is connected.
func TestFilesOfTLS(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		tls  TLSConfig
		path string
	}{
		"absent authority": {TLSConfig{Enabled: true, Authority: empty + "x"}, "tls.authority"},
		"empty authority":  {TLSConfig{Enabled: true, Authority: empty}, "tls.authority"},
		"own certificate":  {TLSConfig{Enabled: true, Certificate: empty, Key: empty}, "tls.certificate"},
	} {
		_, err := Open(Config{Addresses: []string{"127.0.0.1:1"}, TLS: row.tls}, Credentials{}, nil)
		if e, ok := errors.AsType[*gateway.FieldError](err); !ok || e.Path != row.path {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
