package wechatpay_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/city"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wechatpay"
)

// TestTheSandboxHandsOverItsKeys: a client has all it needs from two files, and they hold after a restart, with the books.
func TestTheSandboxHandsOverItsKeys(t *testing.T) {
	dir := t.TempDir()
	secrets := filepath.Join(dir, "secrets")
	up := func() (*twin.City, *wechatpay.Client) {
		town := must[*twin.City](t)(city.Build(twin.Config{Seed: 1, DataDir: filepath.Join(dir, "city")},
			[]city.Place{{Kind: "wechatpay", Instance: "station-lot", Location: time.UTC}}, secrets))
		read := func(name string) string {
			path := filepath.Join(secrets, "wechatpay-station-lot."+name)
			if info := must[os.FileInfo](t)(os.Stat(path)); info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", name, info.Mode())
			}
			return strings.TrimSpace(string(must[[]byte](t)(os.ReadFile(path))))
		}
		return town, newClient(t, wechatpay.Config{BaseURL: town.URL("wechatpay", "station-lot"), MchID: wechatpay.MchIDOf("station-lot"), AppID: "wx1",
			SerialNo: wechatpay.TwinSerialNo, PrivateKey: read("private_key"), APIv3Key: read("api_v3_key"), NotifyURL: "http://127.0.0.1:1/none"})
	}
	town, client := up()
	p := must[*wechatpay.Parking](t)(client.CreateParking(twintest.Within(t, 10*time.Second), entry("in-1", plateA)))
	must[*wechatpay.Transaction](t)(client.CreateTransaction(twintest.Within(t, 10*time.Second), charge("pay-1", plateA, p.ID, 100)))
	if err := town.Close(); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(dir, "city", "wechatpay.station-lot.json")
	if info := must[os.FileInfo](t)(os.Stat(kept)); info.Mode().Perm() != 0o600 {
		t.Errorf("the books have mode %v", info.Mode())
	}
	town, client = up()
	if got := must[*wechatpay.Transaction](t)(client.QueryTransaction(twintest.Within(t, 10*time.Second), "pay-1")); got == nil || got.Total != 100 {
		t.Errorf("after a restart: %+v", got)
	}
	if err := town.Close(); err != nil {
		t.Fatal(err)
	}
}
