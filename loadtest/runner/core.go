package runner

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/dop251/goja"
)

// coreModule is `k6`.
func coreModule(v *vu) *goja.Object {
	obj := v.rt.NewObject()
	mustSet(obj, "check", v.check)
	mustSet(obj, "fail", func(message string) { v.throw(&failure{message}) })
	mustSet(obj, "group", v.runGroup)
	mustSet(obj, "sleep", func(seconds float64) {
		if !wait(v.ctx, time.Duration(seconds*float64(time.Second))) {
			v.throw(errInterrupted)
		}
	})
	return obj
}

// check counts each named predicate over value, and reports whether all hold. One that throws has failed.
func (v *vu) check(value goja.Value, sets *goja.Object, tags map[string]string) bool {
	all := true
	for _, name := range sets.Keys() {
		outcome, err := sets.Get(name), error(nil)
		if f, ok := goja.AssertFunction(outcome); ok {
			outcome, err = f(goja.Undefined(), value)
		}
		holds := err == nil && outcome.ToBoolean()
		v.t.metrics.check(v.group, name, holds)
		v.sample("checks", truth(holds), merged(tags, map[string]string{"check": name}))
		if err != nil {
			v.rethrow(err)
		}
		if _, async := outcome.Export().(*goja.Promise); async {
			v.throw(fmt.Errorf("check %q: an async predicate is not known to this runner", name))
		}
		all = all && holds
	}
	return all
}

// runGroup runs f with the group's name on every sample.
func (v *vu) runGroup(name string, f goja.Callable) goja.Value {
	outer, started := v.group, time.Now()
	v.group += "::" + name
	defer func() { v.group = outer }()
	answer, err := f(goja.Undefined())
	v.sample("group_duration", milliseconds(time.Since(started)), nil)
	if err != nil {
		v.rethrow(err)
	}
	return answer
}

// rethrow passes on what a function of the script threw.
func (v *vu) rethrow(err error) {
	if exception, ok := errors.AsType[*goja.Exception](err); ok {
		panic(exception.Value())
	}
	panic(err)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// metricsModule is `k6/metrics`.
func metricsModule(v *vu) *goja.Object {
	obj := v.rt.NewObject()
	for name, k := range map[string]kind{"Counter": counter, "Gauge": gauge, "Rate": rate, "Trend": trend} {
		mustSet(obj, name, func(call goja.ConstructorCall) *goja.Object {
			v.initOnly("new " + name)
			m, err := v.t.metrics.declare(call.Argument(0).String(), k, call.Argument(1).ToBoolean())
			if err != nil {
				v.throw(err)
			}
			mustSet(call.This, "name", m.name)
			mustSet(call.This, "add", func(value goja.Value, tags map[string]string) {
				number := value.ToFloat()
				if number != number { // NaN
					v.throw(fmt.Errorf("%s.add: %s is no number", m.name, value))
				}
				v.sample(m.name, number, tags)
			})
			return nil
		})
	}
	return obj
}

// dataModule is `k6/data`: SharedArray, made by the first virtual user that asks and frozen in each.
func dataModule(v *vu) *goja.Object {
	obj := v.rt.NewObject()
	mustSet(obj, "SharedArray", func(call goja.ConstructorCall) *goja.Object {
		v.initOnly("new SharedArray")
		f, ok := goja.AssertFunction(call.Argument(1))
		if !ok {
			v.throw(errors.New("new SharedArray wants a name and a function that makes the array"))
		}
		array, err := v.sharedArray(call.Argument(0).String(), f)
		if err != nil {
			v.rethrow(err)
		}
		return array
	})
	return obj
}

func (v *vu) sharedArray(name string, fill goja.Callable) (*goja.Object, error) {
	v.t.sharedMu.Lock()
	defer v.t.sharedMu.Unlock()
	text, made := v.t.shared[name]
	if !made {
		value, err := fill(goja.Undefined())
		if err != nil {
			return nil, err
		}
		if obj, ok := value.(*goja.Object); !ok || obj.ClassName() != "Array" {
			return nil, fmt.Errorf("the function of the SharedArray %q returned no array", name)
		}
		if text, err = v.stringify(value); err != nil {
			return nil, err
		}
		v.t.shared[name] = text
	}
	value, err := v.parse(text)
	if err != nil {
		return nil, err
	}
	return value.(*goja.Object), v.freeze(value)
}

// freeze makes a parsed JSON value immutable, all the way down.
func (v *vu) freeze(value goja.Value) error {
	obj, ok := value.(*goja.Object)
	if !ok {
		return nil
	}
	for _, key := range obj.Keys() {
		if err := v.freeze(obj.Get(key)); err != nil {
			return err
		}
	}
	freeze, ok := goja.AssertFunction(v.rt.Get("Object").ToObject(v.rt).Get("freeze"))
	if !ok {
		return errors.New("the script has replaced Object.freeze")
	}
	_, err := freeze(goja.Undefined(), obj)
	return err
}

// executionModule is `k6/execution`: where the running iteration stands, read when it is asked.
func executionModule(v *vu) *goja.Object {
	getters := map[string]map[string]func() any{
		"scenario": {
			"name":            func() any { return v.scenario.name },
			"iterationInTest": func() any { return v.number },
			"startTime":       func() any { return v.scenario.started.UnixMilli() },
		},
		"vu": {
			"idInTest":            func() any { return v.id },
			"iterationInInstance": func() any { return v.iterations - 1 },
			"iterationInScenario": func() any { return v.iterations - 1 },
		},
	}
	obj := v.rt.NewObject()
	for name, parts := range getters {
		part := v.rt.NewObject()
		for property, get := range maps.All(parts) {
			getter := v.rt.ToValue(func() any {
				if v.scenario == nil {
					v.throw(fmt.Errorf("exec.%s.%s belongs to an iteration", name, property))
				}
				return get()
			})
			if err := part.DefineAccessorProperty(property, getter, nil, goja.FLAG_FALSE, goja.FLAG_TRUE); err != nil {
				panic(err)
			}
		}
		mustSet(obj, name, loud(v.rt, "k6/execution."+name, part))
	}
	run := v.rt.NewObject()
	mustSet(run, "abort", func(reason string) {
		v.t.abort(fmt.Errorf("aborted by the script: %s", reason))
		v.throw(errInterrupted)
	})
	mustSet(obj, "test", loud(v.rt, "k6/execution.test", run))
	return obj
}
