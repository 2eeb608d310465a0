package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
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

// up is what the sandbox prints, read as a stranger would.
type up struct {
	API, Admin, City string
	PIDs             struct{ Serve, City int }
	Tokens           map[string]string
	Examples         map[string]struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
	}
}

// box is a running sandbox.
type box struct {
	up
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string // of standard output, after the first
	stderr *lockedBuffer
	client *http.Client
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// command returns the test binary as warmgate.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &exec.Cmd{Path: self, Args: append([]string{"warmgate"}, args...)}
}

// startBox starts a sandbox on free ports and waits for its first line.
func startBox(t *testing.T, args ...string) *box {
	t.Helper()
	b := &box{t: t, stderr: &lockedBuffer{}, lines: make(chan string, 64), client: &http.Client{Timeout: 10 * time.Second}}
	b.cmd = command(t, append([]string{"sandbox", "--json", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--city=127.0.0.1:0"}, args...)...)
	b.cmd.Stderr = b.stderr
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.stop(); b.client.CloseIdleConnections() })
	go func() {
		defer close(b.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			b.lines <- in.Text()
		}
	}()
	if err := json.Unmarshal([]byte(b.line()), &b.up); err != nil {
		t.Fatalf("the first line is no JSON object: %v\n%s", err, b.stderr)
	}
	return b
}

// line waits for the next line of standard output.
func (b *box) line() string {
	b.t.Helper()
	select {
	case line, ok := <-b.lines:
		if !ok {
			b.t.Fatalf("the sandbox said no more:\n%s", b.stderr)
		}
		return line
	case <-time.After(30 * time.Second):
		b.t.Fatalf("the sandbox says nothing:\n%s", b.stderr)
	}
	return ""
}

// stop ends the sandbox with SIGTERM and returns its exit code. It may be called again.
func (b *box) stop() int {
	b.t.Helper()
	if b.cmd.ProcessState == nil {
		_ = b.cmd.Process.Signal(syscall.SIGTERM)
		ended := make(chan struct{})
		go func() { // reads on, so that nothing written blocks the end
			for range b.lines {
			}
			_ = b.cmd.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			_ = b.cmd.Process.Kill()
			b.t.Fatalf("the sandbox does not end:\n%s", b.stderr)
		}
	}
	return b.cmd.ProcessState.ExitCode()
}

func (b *box) do(method, url string, headers map[string]string, body []byte) (int, string) {
	b.t.Helper()
	status, text, err := b.try(method, url, headers, body)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.stderr)
	}
	return status, text
}

func (b *box) try(method, url string, headers map[string]string, body []byte) (int, string, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// example sends an example as it stands.
func (b *box) example(name string) (int, string) {
	b.t.Helper()
	e, ok := b.Examples[name]
	if !ok {
		b.t.Fatalf("there is no example %s", name)
	}
	return b.do(e.Method, b.API+e.Path, e.Headers, e.Body)
}

// gone reports whether a process has ended, be it that nobody has asked about it yet.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

// await polls until ok, at most for the given time.
func await(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(within)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("after %s still not: %s", within, what)
		}
	}
}

func TestSandboxLetsAVisitorIn(t *testing.T) {
	b := startBox(t)
	for path, want := range map[string]int{b.Admin + "/livez": 200, b.Admin + "/readyz": 200, b.Admin + "/metrics": 200,
		b.API + "/openapi.json": 200, b.API + "/docs": 200, b.City + "/twins": 200, b.API + "/v1/assists": 401} {
		if status, text := b.do("GET", path, nil, nil); status != want {
			t.Errorf("GET %s: %d, want %d: %s", path, status, want, text)
		}
	}
	status, text := b.example("scenic-entry")
	if status != 201 || !strings.Contains(text, `"decision":"open"`) {
		t.Fatalf("the example: %d %s", status, text)
	}
	if again, same := b.example("scenic-entry"); again != 201 || same != text {
		t.Errorf("its replay: %d %s", again, same)
	}
	for role, path := range map[string]string{"reader": "/v1/attractions/west-lake/occupancy", "staff": "/v1/assists"} {
		if status, text := b.do("GET", b.API+path, map[string]string{"Authorization": "Bearer " + b.Tokens[role]}, nil); status != 200 {
			t.Errorf("%s at %s: %d %s", role, path, status, text)
		}
	}
	_, books := b.do("GET", b.City+"/books/octo", nil, nil)
	if !strings.Contains(books, `"effects": 1`) {
		t.Errorf("the city's books know no redemption: %s", books)
	}
	if code := b.stop(); code != 0 {
		t.Errorf("exit code %d\n%s", code, b.stderr)
	}
	if !gone(b.PIDs.Serve) || !gone(b.PIDs.City) {
		t.Error("a process is left")
	}
}

// A gateway that is killed is there again within a second, on its address, and what was acknowledged is kept. A request
// made while it is down waits for it.
func TestKilledGatewayComesBack(t *testing.T) {
	b := startBox(t, "--seed=7")
	if status, text := b.example("scenic-entry"); status != 201 {
		t.Fatalf("the example: %d %s", status, text)
	}
	for pid, n := b.PIDs.Serve, 0; n < 3; n++ {
		b.client.CloseIdleConnections()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		status, text := b.do("GET", b.API+"/v1/attractions/west-lake/occupancy",
			map[string]string{"Authorization": "Bearer " + b.Tokens["reader"]}, nil)
		if took := time.Since(killed); status != 200 || !strings.Contains(text, `"inside":1,`) || took > time.Second {
			t.Errorf("after the kill: %d %s in %s", status, text, took)
		}
		var again struct {
			Restarted string
			PID       int
		}
		if err := json.Unmarshal([]byte(b.line()), &again); err != nil || again.Restarted != "serve" || again.PID == pid {
			t.Fatalf("said %+v, %v", again, err)
		}
		pid = again.PID
	}
	if code := b.stop(); code != 0 {
		t.Errorf("exit code %d\n%s", code, b.stderr)
	}
}

// The children of a sandbox that is killed die with it.
func TestKilledSandboxLeavesNobody(t *testing.T) {
	b := startBox(t, "--data="+t.TempDir())
	if err := b.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, 5*time.Second, "both processes gone", func() bool { return gone(b.PIDs.Serve) && gone(b.PIDs.City) })
}

// Two starts on the same data folder have the same keys, books and ledger, and fresh examples.
func TestDataFolderSurvives(t *testing.T) {
	data := t.TempDir()
	first := startBox(t, "--data="+data)
	if status, text := first.example("scenic-entry"); status != 201 {
		t.Fatalf("the example: %d %s", status, text)
	}
	token := first.Tokens["reader"]
	if code := first.stop(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, first.stderr)
	}
	second := startBox(t, "--data="+data)
	status, text := second.do("GET", second.API+"/v1/attractions/west-lake/occupancy", map[string]string{"Authorization": "Bearer " + token}, nil)
	if status != 200 || !strings.Contains(text, `"inside":1,`) {
		t.Errorf("with the first start's token: %d %s", status, text)
	}
	if status, text := second.example("scenic-entry"); status != 201 || !strings.Contains(text, `"inside":2,`) {
		t.Errorf("the second start's example: %d %s", status, text)
	}
	if status, text := second.do("POST", second.API+first.Examples["scenic-entry"].Path, second.Examples["scenic-entry"].Headers,
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
	b := startBox(t)
	address := strings.TrimPrefix(b.API, "http://")
	cmd := command(t, "sandbox", "--listen="+address, "--admin=127.0.0.1:0", "--city=127.0.0.1:0")
	out, err := cmd.CombinedOutput()
	want := fmt.Sprintf("warmgate: cannot listen: listen tcp %s: bind: address already in use; choose another address with --listen (port 0: a free one)\n", address)
	if cmd.ProcessState.ExitCode() != 1 || string(out) != want {
		t.Errorf("%v: %s\nwant %s", err, out, want)
	}
}

// traffic asks without a pause until stop is called, which returns how many requests there were and what went wrong.
func (b *box) traffic() (stop func() (int64, []string)) {
	var n atomic.Int64
	var mu sync.Mutex
	var bad []string
	end := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				status, text, err := b.try("GET", b.API+"/v1/attractions/west-lake/occupancy", map[string]string{"Authorization": "Bearer " + b.Tokens["reader"]}, nil)
				n.Add(1)
				if err != nil || status != 200 {
					mu.Lock()
					bad = append(bad, fmt.Sprint(status, text, err))
					mu.Unlock()
				}
			}
		})
	}
	return func() (int64, []string) { close(end); wg.Wait(); return n.Load(), bad }
}

// A reload drops no request; a wrong file changes nothing; SIGHUP does the same.
func TestReloadUnderTraffic(t *testing.T) {
	data := t.TempDir()
	b := startBox(t, "--data="+data)
	file := filepath.Join(data, "configs", "venues", "west-lake.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	capacity := func(want string) func() bool {
		return func() bool {
			_, body := b.do("GET", b.API+"/v1/attractions/west-lake/occupancy", map[string]string{"Authorization": "Bearer " + b.Tokens["reader"]}, nil)
			return strings.Contains(body, `"capacity":`+want+",")
		}
	}
	reloads := func(outcome, n string) func() bool {
		return func() bool {
			_, body := b.do("GET", b.Admin+"/metrics", nil, nil)
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
	stop := b.traffic()
	write("capacity: 40000", "capacity: 123")
	await(t, 10*time.Second, "the new capacity", capacity("123"))
	write("capacity: 40000", "capacitty: 456")
	await(t, 10*time.Second, "the refusal counted", reloads("refused", "1"))
	if !capacity("123")() {
		t.Error("the wrong file changed something")
	}
	if want := `west-lake.yaml:32:3: settings: unknown field \"capacitty\"`; !strings.Contains(b.stderr.String(), want) {
		t.Errorf("the log does not say %s:\n%s", want, b.stderr)
	}
	write("capacity: 40000", "capacity: 789")
	await(t, 10*time.Second, "the next capacity", capacity("789"))
	if err := syscall.Kill(b.PIDs.Serve, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await(t, 10*time.Second, "SIGHUP counted", reloads("taken", "3"))
	n, bad := stop()
	if len(bad) > 0 || n < 100 {
		t.Errorf("%d requests, of which dropped: %v", n, bad)
	}
	if status, text := b.example("scenic-entry"); status != 201 {
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
	cmd := command(t, "sandbox", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--city=127.0.0.1:0")
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
	if n < 4 {
		t.Errorf("%d commands were printed:\n%s", n, &said)
	}
}

// process is a command that runs beside the test.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	log *lockedBuffer
	out *bufio.Scanner
}

func (b *box) process(env []string, args ...string) *process {
	b.t.Helper()
	p := &process{t: b.t, cmd: command(b.t, args...), log: &lockedBuffer{}}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), env...), p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

func (p *process) line(prefix string) string {
	p.t.Helper()
	for p.out.Scan() {
		if rest, ok := strings.CutPrefix(p.out.Text(), prefix); ok {
			return rest
		}
	}
	p.t.Fatalf("no line begins with %q:\n%s", prefix, p.log)
	return ""
}

func (p *process) end() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%v: %s", err, p.log)
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
	b := &box{t: t, stderr: &lockedBuffer{}, client: &http.Client{Timeout: 10 * time.Second}}
	b.Tokens = map[string]string{}
	for _, role := range []string{"gate", "reader"} {
		out, err := command(t, "token", "--data="+data, "--role="+role).Output()
		if err != nil {
			t.Fatal(err)
		}
		b.Tokens[role] = strings.TrimSpace(string(out))
	}
	town := b.process(nil, "city", "-c", config, "--listen=127.0.0.1:0", "--data="+data+"/city", "--secrets="+data+"/secrets")
	b.City = strings.TrimSuffix(town.line("# The city answers at "), ". Its twins, for the environment of serve:")
	env := []string{town.line("export "), town.line("export "), "WARMGATE_LISTEN=127.0.0.1:0", "WARMGATE_ADMIN=127.0.0.1:0"}
	gate := b.process(env, "serve", "-c", config)
	var serving struct{ API, Admin string }
	await(t, 10*time.Second, "serving", func() bool {
		for line := range strings.SplitSeq(gate.log.String(), "\n") {
			if strings.Contains(line, `"msg":"serving"`) && json.Unmarshal([]byte(line), &serving) == nil {
				return true
			}
		}
		return false
	})
	b.API, b.Admin = "http://"+serving.API, "http://"+serving.Admin

	_, made := b.do("POST", b.City+"/make/octo/west-lake", nil, []byte("{}"))
	var tickets []struct{ Units []struct{ Code string } }
	if err := json.Unmarshal([]byte(made), &tickets); err != nil {
		t.Fatal(err)
	}
	if status, text := b.do("PUT", b.City+"/dials/octo/west-lake", nil, []byte(`{"latency_ms":60}`)); status != 200 {
		t.Fatalf("the dial: %d %s", status, text)
	}
	answer := make(chan string, 1)
	go func() {
		status, text, err := b.try("POST", b.API+"/v1/attractions/west-lake/entries", map[string]string{
			"Authorization": "Bearer " + b.Tokens["gate"], "Content-Type": "application/json", "Idempotency-Key": `"by-hand"`,
		}, []byte(`{"gate":"north-1","scan_id":"by-hand","ticket":{"code":"`+tickets[0].Units[0].Code+`"}}`))
		answer <- fmt.Sprint(status, text, err)
	}()
	await(t, 5*time.Second, "the entry in flight", func() bool {
		_, body := b.do("GET", b.Admin+"/metrics", nil, nil)
		return strings.Contains(body, "warmgate_requests_in_flight 1\n")
	})
	gate.end()
	if got := <-answer; !strings.HasPrefix(got, "201") {
		t.Errorf("the entry in flight: %s", got)
	}
	town.end()

	ledger := filepath.Join(data, "ledger.db")
	for _, args := range [][]string{
		{"audit", "verify", "--data", data}, {"ledger", "backup", ledger, filepath.Join(folder, "copy.db")},
		{"ledger", "restore", filepath.Join(folder, "copy.db"), filepath.Join(folder, "restored.db")},
	} {
		if out, err := command(t, args...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v %s", args, err, out)
		}
	}
}
