package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/warmgate/warmgate/flows/sandbox/sandboxtest"
)

// TestMain lets the test binary be warmgate itself where its name is that.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"warmgate": main}) }

// TestCommands runs the commands as people do.
func TestCommands(t *testing.T) {
	configs, err := filepath.Abs("configs")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Dir: "configs/testdata/commands", Setup: func(e *testscript.Env) error {
		return os.CopyFS(filepath.Join(e.WorkDir, "configs"), os.DirFS(configs))
	}})
}

func TestSandboxLetsVisitorsAndCarsIn(t *testing.T) {
	b := sandboxtest.Start(t)
	for path, want := range map[string]int{b.Admin + "/livez": 200, b.Admin + "/readyz": 200, b.Admin + "/metrics": 200,
		b.API + "/openapi.json": 200, b.API + "/docs": 200, b.City + "/twins": 200, b.API + "/v1/assists": 401} {
		if status, text := b.Do("GET", path, nil, nil); status != want {
			t.Errorf("GET %s: %d, want %d: %s", path, status, want, text)
		}
	}
	status, text := b.Example("scenic-entry")
	if status != 201 || !strings.Contains(text, `"decision":"open"`) {
		t.Fatalf("the example: %d %s", status, text)
	}
	if again, same := b.Example("scenic-entry"); again != 201 || same != text {
		t.Errorf("its replay: %d %s", again, same)
	}
	for _, e := range [][2]string{{"parking-entry", `"decision":"open"`}, {"parking-exit", `"state":"pay-pending"`},
		{"rooms-search", `"complete":true,"missing":[],"hotels":[{"hotel":"lakeside"`}, {"rooms-booking", `"decision":"booked"`}, {"parking-bill-search", `"state":"billed"`}, {"parking-payment", `"state":"pay-pending"`}} {
		if status, text := b.Example(e[0]); status/100 != 2 || !strings.Contains(text, e[1]) {
			t.Errorf("the example %s: %d %s", e[0], status, text)
		}
	}
	for role, path := range map[string]string{"reader": "/v1/attractions/west-lake/occupancy", "staff": "/v1/assists"} {
		if status, text := b.Do("GET", b.API+path, map[string]string{"Authorization": "Bearer " + b.Tokens[role]}, nil); status != 200 {
			t.Errorf("%s at %s: %d %s", role, path, status, text)
		}
	}
	_, books := b.Do("GET", b.City+"/books/octo", nil, nil)
	if !strings.Contains(books, `"effects": 1`) {
		t.Errorf("the city's books know no redemption: %s", books)
	}
	if code := b.Stop(); code != 0 {
		t.Errorf("exit code %d\n%s", code, b.Log)
	}
	if !sandboxtest.Gone(b.PIDs.Serve) || !sandboxtest.Gone(b.PIDs.City) {
		t.Error("a process is left")
	}
}

// A gateway that is killed is there again within a second, on its address, and what was acknowledged is kept. A request
// made while it is down waits for it.
func TestKilledGatewayComesBack(t *testing.T) {
	b := sandboxtest.Start(t, "--seed=7")
	if status, text := b.Example("scenic-entry"); status != 201 {
		t.Fatalf("the example: %d %s", status, text)
	}
	fastest := time.Hour // of three: the machine may be busy with other tests
	for pid, n := b.PIDs.Serve, 0; n < 3; n++ {
		b.Client.CloseIdleConnections()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		status, text := b.Do("GET", b.API+"/v1/attractions/west-lake/occupancy",
			map[string]string{"Authorization": "Bearer " + b.Tokens["reader"]}, nil)
		fastest = min(fastest, time.Since(killed))
		if status != 200 || !strings.Contains(text, `"inside":1,`) {
			t.Errorf("after the kill: %d %s", status, text)
		}
		var again struct {
			Restarted string
			PID       int
		}
		if err := json.Unmarshal([]byte(b.Line()), &again); err != nil || again.Restarted != "serve" || again.PID == pid {
			t.Fatalf("said %+v, %v", again, err)
		}
		pid = again.PID
	}
	if fastest > time.Second && !sandboxtest.Race {
		t.Errorf("the fastest return took %s", fastest)
	}
	if code := b.Stop(); code != 0 {
		t.Errorf("exit code %d\n%s", code, b.Log)
	}
}

// The children of a sandbox that is killed die with it.
func TestKilledSandboxLeavesNobody(t *testing.T) {
	b := sandboxtest.Start(t, "--data="+t.TempDir())
	if err := b.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	sandboxtest.Await(t, 5*time.Second, "both processes gone", func() bool { return sandboxtest.Gone(b.PIDs.Serve) && sandboxtest.Gone(b.PIDs.City) })
}

// Two starts on the same data folder have the same keys, books and ledger, and fresh examples.
func TestDataFolderSurvives(t *testing.T) {
	data := t.TempDir()
	first := sandboxtest.Start(t, "--data="+data)
	if status, text := first.Example("scenic-entry"); status != 201 {
		t.Fatalf("the example: %d %s", status, text)
	}
	if status, text := first.Example("rooms-booking"); status != 201 {
		t.Fatalf("the example of a booking: %d %s", status, text)
	}
	token := first.Tokens["reader"]
	if code := first.Stop(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, first.Log)
	}
	second := sandboxtest.Start(t, "--data="+data)
	status, text := second.Do("GET", second.API+"/v1/attractions/west-lake/occupancy", map[string]string{"Authorization": "Bearer " + token}, nil)
	if status != 200 || !strings.Contains(text, `"inside":1,`) {
		t.Errorf("with the first start's token: %d %s", status, text)
	}
	if status, text := second.Example("scenic-entry"); status != 201 || !strings.Contains(text, `"inside":2,`) {
		t.Errorf("the second start's example: %d %s", status, text)
	}
	if status, text := second.Example("rooms-booking"); status != 201 {
		t.Errorf("the second start's booking: %d %s", status, text)
	}
	if status, text := second.Do("POST", second.API+first.Examples["scenic-entry"].Path, second.Examples["scenic-entry"].Headers,
		first.Examples["scenic-entry"].Body); status < 400 {
		t.Errorf("the first start's ticket once more: %d %s", status, text)
	}
	err := filepath.Walk(data, func(path string, info os.FileInfo, err error) error {
		if err == nil && path != data && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestSandboxSaysWhichAddressIsTaken(t *testing.T) {
	b := sandboxtest.Start(t)
	address := strings.TrimPrefix(b.API, "http://")
	cmd := sandboxtest.Command(t, "sandbox", "--listen="+address, "--admin=127.0.0.1:0", "--city=127.0.0.1:0")
	out, err := cmd.CombinedOutput()
	want := fmt.Sprintf("warmgate: cannot listen: listen tcp %s: bind: address already in use; choose another address with --listen (port 0: a free one)\n", address)
	if cmd.ProcessState.ExitCode() != 1 || string(out) != want {
		t.Errorf("%v: %s\nwant %s", err, out, want)
	}
}

// The city comes back too, on its addresses, with its books as they were last kept.
func TestKilledCityComesBack(t *testing.T) {
	b := sandboxtest.Start(t)
	_, before := b.Do("GET", b.City+"/twins", nil, nil)
	b.Client.CloseIdleConnections()
	if err := syscall.Kill(b.PIDs.City, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if line := b.Line(); !strings.HasPrefix(line, `{"restarted":"city","pid":`) {
		t.Errorf("said %s", line)
	}
	sandboxtest.Await(t, 10*time.Second, "all twins back where they were", func() bool {
		_, after := b.Do("GET", b.City+"/twins", nil, nil)
		return after == before
	})
	if status, text := b.Example("scenic-entry"); status != 201 {
		t.Errorf("the example: %d %s", status, text)
	}
}

// A sandbox that is told to stop before it is up stops as well as any other.
func TestSandboxStopsWhileItStarts(t *testing.T) {
	data := t.TempDir()
	cmd := sandboxtest.Command(t, "sandbox", "--json", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--city=127.0.0.1:0", "--data="+data)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sandboxtest.Await(t, 10*time.Second, "the first file", func() bool {
		_, err := os.Stat(filepath.Join(data, "sandbox.lock"))
		return err == nil
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// Two sandboxes on one folder would write over each other's books.
func TestOneSandboxForAFolder(t *testing.T) {
	data := t.TempDir()
	b := sandboxtest.Start(t, "--data="+data)
	cmd := sandboxtest.Command(t, "sandbox", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--city=127.0.0.1:0", "--data="+data)
	out, err := cmd.CombinedOutput()
	if want := "warmgate: cannot prepare the data folder: another sandbox works on " + data + "\n"; cmd.ProcessState.ExitCode() != 1 || string(out) != want {
		t.Errorf("%v: %s\nwant %s", err, out, want)
	}
	if status, text := b.Example("scenic-entry"); status != 201 {
		t.Errorf("the first one: %d %s", status, text)
	}
}

// A process that can't come up ends the sandbox at once, with its reason.
func TestSandboxThatCannotStart(t *testing.T) {
	data := t.TempDir()
	if err := os.MkdirAll(filepath.Join(data, "ledger"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "ledger", "ledger.db"), []byte("this is no database, whatever its name may say"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := sandboxtest.Command(t, "sandbox", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--city=127.0.0.1:0", "--data="+data)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "file is not a database") ||
		!strings.Contains(string(out), "warmgate: the gateway does not become ready: serve has ended: exit status 1\n") {
		t.Errorf("%v: %s", err, out)
	}
}

// A reload drops no request; a wrong file changes nothing; SIGHUP does the same.
func TestReloadUnderTraffic(t *testing.T) {
	data := t.TempDir()
	b := sandboxtest.Start(t, "--data="+data)
	file := filepath.Join(data, "configs", "venues", "west-lake.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	capacity := func(want string) func() bool {
		return func() bool {
			_, body := b.Do("GET", b.API+"/v1/attractions/west-lake/occupancy", map[string]string{"Authorization": "Bearer " + b.Tokens["reader"]}, nil)
			return strings.Contains(body, `"capacity":`+want+",")
		}
	}
	reloads := func(outcome, n string) func() bool {
		return func() bool {
			_, body := b.Do("GET", b.Admin+"/metrics", nil, nil)
			return strings.Contains(body, `warmgate_reloads_total{outcome="`+outcome+`"} `+n+"\n")
		}
	}
	write := func(from, to string) {
		t.Helper()
		next := strings.Replace(string(text), from, to, 1)
		if next == string(text) {
			t.Fatalf("the file has no %q", from)
		}
		if err := os.WriteFile(file, []byte(next), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stop := b.Traffic()
	write("capacity: 40000", "capacity: 123")
	sandboxtest.Await(t, 10*time.Second, "the new capacity", capacity("123"))
	write("capacity: 40000", "capacitty: 456")
	sandboxtest.Await(t, 10*time.Second, "the refusal counted", reloads("refused", "1"))
	if !capacity("123")() {
		t.Error("the wrong file changed something")
	}
	if want := `west-lake.yaml:32:3: settings: unknown field \"capacitty\"`; !strings.Contains(b.Log.String(), want) {
		t.Errorf("the log does not say %s:\n%s", want, b.Log)
	}
	write("capacity: 40000", "capacity: 789")
	sandboxtest.Await(t, 10*time.Second, "the next capacity", capacity("789"))
	if err := syscall.Kill(b.PIDs.Serve, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	sandboxtest.Await(t, 10*time.Second, "SIGHUP counted", reloads("taken", "3"))
	n, bad := stop()
	if len(bad) > 0 || n < 100 {
		t.Errorf("%d requests, of which dropped: %v", n, bad)
	}
	if status, text := b.Example("scenic-entry"); status != 201 {
		t.Errorf("after the reloads: %d %s", status, text)
	}
}

// Every command that the sandbox prints works when it is pasted.
func TestPrintedCommandsWork(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Log("left out: there is no curl")
		return
	}
	cmd := sandboxtest.Command(t, "sandbox", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--city=127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	var said strings.Builder
	for in := bufio.NewScanner(out); in.Scan() && in.Text() != "Ctrl-C stops it all."; {
		said.WriteString(in.Text() + "\n")
	}
	n := 0
	for line := range strings.SplitSeq(strings.ReplaceAll(said.String(), "\\\n", ""), "\n") {
		if rest, ok := strings.CutPrefix(line, "curl "); ok {
			n++
			if out, err := exec.Command("sh", "-c", curl+" -f "+rest).CombinedOutput(); err != nil {
				t.Errorf("%v: %s\n%s", err, line, out)
			}
		}
	}
	if n < 11 {
		t.Errorf("%d commands were printed:\n%s", n, &said)
	}
}

// City and gateway run by hand, from the shipped files and the environment that the city prints. SIGTERM finishes what is
// in flight; afterwards the ledger can be backed up, restored and verified.
func TestCityAndServeByHand(t *testing.T) {
	folder := t.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "configs"), os.DirFS("configs")); err != nil {
		t.Fatal(err)
	}
	config, data := filepath.Join(folder, "configs", "gateway.yaml"), filepath.Join(folder, "data")
	b := sandboxtest.New(t)
	for _, role := range []string{"gate", "reader"} {
		out, err := sandboxtest.Command(t, "token", "--data="+data, "--role="+role).Output()
		if err != nil {
			t.Fatal(err)
		}
		b.Tokens[role] = strings.TrimSpace(string(out))
	}
	town := b.Process(nil, "city", "-c", config, "--listen=127.0.0.1:0", "--data="+data+"/city", "--secrets="+data+"/secrets")
	b.City = strings.TrimSuffix(town.Line("# The city answers at "), ". Its twins, for the environment of serve:")
	env := []string{"WARMGATE_LISTEN=127.0.0.1:0", "WARMGATE_ADMIN=127.0.0.1:0"}
	for range 11 { // two attractions, two hotels with three systems each, a provider, and a city with its broker
		env = append(env, town.Line("export "))
	}
	gate := b.Process(env, "serve", "-c", config)
	var serving struct{ API, Admin string }
	sandboxtest.Await(t, 10*time.Second, "serving", func() bool {
		for line := range strings.SplitSeq(gate.Log.String(), "\n") {
			if strings.Contains(line, `"msg":"serving"`) && json.Unmarshal([]byte(line), &serving) == nil {
				return true
			}
		}
		return false
	})
	b.API, b.Admin = "http://"+serving.API, "http://"+serving.Admin

	_, made := b.Do("POST", b.City+"/make/octo/west-lake", nil, []byte("{}"))
	var tickets []struct{ Units []struct{ Code string } }
	if err := json.Unmarshal([]byte(made), &tickets); err != nil {
		t.Fatal(err)
	}
	if status, text := b.Do("PUT", b.City+"/dials/octo/west-lake", nil, []byte(`{"latency_ms":60}`)); status != 200 {
		t.Fatalf("the dial: %d %s", status, text)
	}
	answer := make(chan string, 1)
	go func() {
		status, text, err := b.Try("POST", b.API+"/v1/attractions/west-lake/entries", map[string]string{
			"Authorization": "Bearer " + b.Tokens["gate"], "Content-Type": "application/json", "Idempotency-Key": `"by-hand"`,
		}, []byte(`{"gate":"north-1","scan_id":"by-hand","ticket":{"code":"`+tickets[0].Units[0].Code+`"}}`))
		answer <- fmt.Sprint(status, text, err)
	}()
	sandboxtest.Await(t, 5*time.Second, "the entry in flight", func() bool {
		_, body := b.Do("GET", b.Admin+"/metrics", nil, nil)
		return strings.Contains(body, "warmgate_requests_in_flight 1\n")
	})
	gate.End()
	if got := <-answer; !strings.HasPrefix(got, "201") {
		t.Errorf("the entry in flight: %s", got)
	}
	town.End()

	ledger := filepath.Join(data, "ledger.db")
	for _, args := range [][]string{
		{"audit", "verify", "--data", data}, {"ledger", "backup", ledger, filepath.Join(folder, "copy.db")},
		{"ledger", "restore", filepath.Join(folder, "copy.db"), filepath.Join(folder, "restored.db")},
	} {
		if out, err := sandboxtest.Command(t, args...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v %s", args, err, out)
		}
	}
}

// A city that hangs holds nobody up: whether its systems never answer or never come to an end, the gateway brings what is
// in flight home, and stops.
func TestSandboxStopsWhileTheCityHangs(t *testing.T) {
	for _, fault := range []string{"hang", "endless"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			b := sandboxtest.Start(t)
			_, twins := b.Do("GET", b.City+"/twins", nil, nil)
			var all map[string]any
			if err := json.Unmarshal([]byte(twins), &all); err != nil || len(all) == 0 {
				t.Fatalf("%v: %s", err, twins)
			}
			for kind := range all {
				if status, text := b.Do("PUT", b.City+"/dials/"+kind+"/*", nil, []byte(`{"fault":"`+fault+`"}`)); status != 200 {
					t.Fatalf("the dial of %s: %d %s", kind, status, text)
				}
			}
			if err := syscall.Kill(b.PIDs.Serve, syscall.SIGKILL); err != nil { // the next one brings tickets in at once
				t.Fatal(err)
			}
			b.Line()
			b.Client.CloseIdleConnections()
			var asked sync.WaitGroup
			for name := range b.Examples {
				asked.Go(func() {
					b.Try(b.Examples[name].Method, b.API+b.Examples[name].Path, b.Examples[name].Headers, b.Examples[name].Body)
				})
			}
			asked.Wait()
			told := time.Now()
			if code := b.Stop(); code != 0 {
				t.Errorf("exit code %d\n%s", code, b.Log)
			}
			if took := time.Since(told); took > 6*time.Second {
				t.Errorf("it took %s\n%s", took, b.Log)
			} else {
				t.Logf("it took %s", took)
			}
		})
	}
}
