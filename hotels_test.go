package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/flows/sandbox/sandboxtest"
)

// A sandbox of hundreds of hotels has them behind one address and one credential; which share of them hangs is dialled from
// outside; and its configuration is one that holds.
func TestSandboxHasATownOfHotels(t *testing.T) {
	data := t.TempDir()
	b := sandboxtest.Start(t, "--hotels=300", "--data="+data)
	_, twins := b.Do("GET", b.City+"/twins", nil, nil)
	if n := strings.Count(twins, `"town"`); n != 1 || strings.Contains(twins, "hotel-0") {
		t.Errorf("the town is there %d times, or its hotels have twins of their own: %s", n, twins)
	}
	keys, err := os.ReadDir(data + "/secrets")
	if err != nil || len(keys) > 30 {
		t.Errorf("%d credentials, %v", len(keys), err)
	}
	if status, text := b.Do("POST", b.City+"/make/ohip/town", nil, []byte(`{"do":"hotels"}`)); status != 201 || strings.Count(text, `"name_en"`) != 300 {
		t.Errorf("the town's hotels: %d %.200s", status, text)
	}
	for share, want := range map[float64]int{0.05: 201, 1.5: 400} {
		body := fmt.Sprintf(`{"do":"trouble","trouble":[{"share":%v,"dial":{"fault":"hang"}},{"share":0.05,"dial":{"fault":"refuse"}}]}`, share)
		if status, text := b.Do("POST", b.City+"/make/ohip/town", nil, []byte(body)); status != want {
			t.Errorf("trouble for a share of %v: %d %s", share, status, text)
		}
	}
	out, err := sandboxtest.Command(t, "check", "-c", data+"/configs/gateway.yaml").CombinedOutput()
	if err != nil {
		t.Errorf("check: %v %s", err, out)
	}
	_, metrics := b.Do("GET", b.Admin+"/metrics", nil, nil)
	if n := strings.Count(metrics, "warmgate_backend_breaker_open{"); n > 100 {
		t.Errorf("%d instances have series of their own", n)
	}
	if !strings.Contains(metrics, `warmgate_system_instances{state="all",system="pms"} 302`) {
		t.Error("the sums do not count every hotel")
	}
}
