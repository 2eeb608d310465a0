package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// vu is one virtual user: a runtime in which the script's code has run. It runs one thing at a time.
type vu struct {
	t       *test
	id      int // from 1; 0 is the one that loads the script, sets up, tears down and summarises
	rt      *goja.Runtime
	exports *goja.Object

	scenario   *scenario
	ready      bool            // the init code is over
	ctx        context.Context // of what runs now
	group      string
	data       goja.Value // what setup() returned
	statuses   *statusSet // which answers are no failures; nil is k6's default
	iterations int        // ended or running
	number     int        // of the running iteration in its scenario
}

// failure is what fail() throws: the script's own word that an iteration is over.
type failure struct{ message string }

func (f *failure) Error() string { return f.message }

// newVU runs the script's init code in a runtime of its own.
func newVU(t *test, id int) (*vu, error) {
	v := &vu{t: t, id: id, rt: goja.New(), ctx: t.ctx}
	stop := context.AfterFunc(t.ctx, func() { v.rt.Interrupt(errInterrupted) })
	defer stop()
	for name, value := range map[string]any{
		moduleGlobal: v.module, "open": v.open, "__VU": id, "__ITER": 0, "__ENV": copyOf(t.cfg.Env), "console": v.console(),
	} {
		if err := v.rt.Set(name, value); err != nil {
			return nil, err
		}
	}
	if _, err := v.rt.RunProgram(t.program.code); err != nil {
		return nil, scriptError(err)
	}
	v.exports = v.rt.Get(scriptGlobal).ToObject(v.rt)
	v.ready = true
	return v, nil
}

// copyOf gives each virtual user an __ENV of its own.
func copyOf(env map[string]string) map[string]any {
	out := map[string]any{}
	for k, value := range env {
		out[k] = value
	}
	return out
}

// join makes the virtual user one of the scenario's.
func (v *vu) join(s *scenario) error {
	v.scenario = s
	env := v.rt.Get("__ENV").ToObject(v.rt)
	for name, value := range s.env {
		if err := env.Set(name, value); err != nil {
			return err
		}
	}
	var err error
	v.data, err = v.parse(v.t.setup)
	return err
}

// module is what the generated modules call for their shim.
func (v *vu) module(name string) *goja.Object {
	return loud(v.rt, name, modules()[name](v))
}

// function is the script's exported function of this name.
func (v *vu) function(name string) (goja.Callable, error) {
	f, ok := goja.AssertFunction(v.exports.Get(name))
	if !ok {
		return nil, fmt.Errorf("the script exports no function %q", name)
	}
	return f, nil
}

// iterate runs one iteration that was due at the given time, and records it.
func (v *vu) iterate(ctx context.Context, number int, due time.Time) {
	f, err := v.function(v.scenario.exec)
	if err == nil {
		err = v.rt.Set("__ITER", v.iterations)
	}
	if err != nil {
		v.t.abort(err)
		return
	}
	v.iterations++
	v.number, v.group = number, ""
	_, err = v.call(ctx, f, v.data)
	if errors.Is(err, errInterrupted) {
		v.t.interrupted.Add(1)
		return
	}
	took := time.Since(due)
	v.sample("iterations", 1, nil)
	v.sample("iteration_duration", milliseconds(took), nil)
	v.t.metrics.add("vus", float64(v.t.vus.Load()), nil)
	v.scenario.record(took)
	failed, ok := errors.AsType[*failure](err)
	switch {
	case ok:
		v.t.log.Warn("iteration failed", "scenario", v.scenario.name, "iteration", number, "reason", failed.message)
	case err != nil:
		v.t.abort(err)
	}
}

// hook calls setup or teardown, if the script has it, and returns its answer as JSON.
func (v *vu) hook(ctx context.Context, name string, timeout time.Duration) (string, error) {
	f, ok := goja.AssertFunction(v.exports.Get(name))
	if !ok {
		return "", nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not done within %s", timeout))
	defer cancel()
	data, err := v.parse(v.t.setup)
	if err != nil {
		return "", err
	}
	answer, err := v.call(ctx, f, data)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return v.stringify(answer)
}

// call runs a function of the script until it returns, its promise has settled, or ctx is over.
func (v *vu) call(ctx context.Context, f goja.Callable, args ...goja.Value) (goja.Value, error) {
	v.ctx = ctx
	if ctx.Err() != nil {
		return nil, errInterrupted
	}
	stop := context.AfterFunc(ctx, func() { v.rt.Interrupt(errInterrupted) })
	defer stop()
	answer, err := f(goja.Undefined(), args...)
	if err != nil {
		return nil, scriptError(err)
	}
	promise, ok := answer.Export().(*goja.Promise)
	if !ok {
		return answer, nil
	}
	switch promise.State() {
	case goja.PromiseStateFulfilled:
		return promise.Result(), nil
	case goja.PromiseStateRejected:
		return nil, scriptError(thrown(promise.Result()))
	default:
		return nil, errors.New("the script awaits something that this runner never settles")
	}
}

// thrown is the error of a rejected promise.
func thrown(reason goja.Value) error {
	if err, ok := reason.Export().(error); ok {
		return err
	}
	if obj, ok := reason.(*goja.Object); ok {
		if inner, ok := goValue(obj).(error); ok {
			return inner
		}
	}
	return errors.New(reason.String())
}

// goValue is the Go error inside a JavaScript error that a shim threw, or nil.
func goValue(obj *goja.Object) any {
	if value := obj.Get("value"); value != nil {
		return value.Export()
	}
	return nil
}

// scriptError keeps what a shim threw and turns everything else into text with the script's own lines.
func scriptError(err error) error {
	if _, interrupted := errors.AsType[*goja.InterruptedError](err); interrupted {
		return errInterrupted
	}
	exception, ok := errors.AsType[*goja.Exception](err)
	if !ok {
		return err
	}
	if obj, ok := exception.Value().(*goja.Object); ok {
		if inner, ok := goValue(obj).(error); ok {
			if _, failed := errors.AsType[*failure](inner); failed || errors.Is(inner, errInterrupted) {
				return inner
			}
		}
	}
	return errors.New(exception.String())
}

// throw raises err in the script.
func (v *vu) throw(err error) { panic(v.rt.NewGoError(err)) }

// initOnly throws unless the init code is running.
func (v *vu) initOnly(name string) {
	if v.ready {
		v.throw(fmt.Errorf("%s belongs to the init code, outside every function", name))
	}
}

// open reads a file beside the script, as text; with "b" as an ArrayBuffer.
func (v *vu) open(path string, mode string) goja.Value {
	v.initOnly("open")
	if !filepath.IsAbs(path) {
		path = filepath.Join(v.t.dir, path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		v.throw(fmt.Errorf("cannot open: %w", err))
	}
	switch mode {
	case "":
		return v.rt.ToValue(string(content))
	case "b":
		return v.rt.ToValue(v.rt.NewArrayBuffer(content))
	default:
		v.throw(fmt.Errorf("open: the mode %q is not known to this runner", mode))
		return nil
	}
}

func (v *vu) console() *goja.Object {
	obj := v.rt.NewObject()
	for name, log := range map[string]func(string, ...any){
		"debug": v.t.log.Debug, "log": v.t.log.Info, "info": v.t.log.Info, "warn": v.t.log.Warn, "error": v.t.log.Error,
	} {
		mustSet(obj, name, func(call goja.FunctionCall) goja.Value {
			words := make([]string, len(call.Arguments))
			for i, arg := range call.Arguments {
				words[i] = arg.String()
			}
			log(strings.Join(words, " "), "from", "script")
			return goja.Undefined()
		})
	}
	return loud(v.rt, "console", obj)
}

// sample records a value with the virtual user's tags and the given ones.
func (v *vu) sample(metric string, value float64, tags map[string]string) {
	var all map[string]string
	if v.scenario != nil {
		all = v.scenario.allTags(v.t)
	}
	v.t.metrics.add(metric, value, merged(v.t.options.tags, all, map[string]string{"group": v.group}, tags))
}

// stringify is JSON.stringify; undefined is "".
func (v *vu) stringify(value goja.Value) (string, error) {
	if value == nil || goja.IsUndefined(value) {
		return "", nil
	}
	out, err := v.json("stringify", value)
	if err != nil || goja.IsUndefined(out) {
		return "", err
	}
	return out.String(), nil
}

// parse is JSON.parse; "" is undefined.
func (v *vu) parse(text string) (goja.Value, error) {
	if text == "" {
		return goja.Undefined(), nil
	}
	return v.json("parse", v.rt.ToValue(text))
}

func (v *vu) json(name string, arg goja.Value) (goja.Value, error) {
	f, ok := goja.AssertFunction(v.rt.Get("JSON").ToObject(v.rt).Get(name))
	if !ok {
		return nil, fmt.Errorf("the script has replaced JSON.%s", name)
	}
	return f(goja.Undefined(), arg)
}

// mustSet sets a property of an object made here; that cannot fail.
func mustSet(obj *goja.Object, name string, value any) {
	if err := obj.Set(name, value); err != nil {
		panic(err)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
