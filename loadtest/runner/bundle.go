package runner

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/evanw/esbuild/pkg/api"
)

// program is a bundled and compiled script. It is immutable: every virtual user runs the same one.
type program struct {
	code *goja.Program
	dir  string // of the script
}

// scriptGlobal holds the script's exports after its code has run; moduleGlobal gives it the shims.
const (
	scriptGlobal = "__script"
	moduleGlobal = "__k6_module"
)

// bundle makes one program of the script and all that it imports.
func bundle(script string) (*program, error) {
	path, err := filepath.Abs(script)
	if err != nil {
		return nil, err
	}
	res := api.Build(api.BuildOptions{
		EntryPoints: []string{path},
		Bundle:      true,
		Format:      api.FormatIIFE,
		GlobalName:  scriptGlobal,
		Target:      api.ES2017,
		Charset:     api.CharsetUTF8,
		Sourcemap:   api.SourceMapInline,
		Platform:    api.PlatformNeutral,
		LogLevel:    api.LogLevelSilent,
		Plugins:     []api.Plugin{shimPlugin()},
	})
	// A warning is an import that does not exist, or code that does not mean what it says.
	if msgs := slices.Concat(res.Errors, res.Warnings); len(msgs) > 0 {
		return nil, bundleError(msgs)
	}
	code, err := goja.Compile(filepath.Base(path), string(res.OutputFiles[0].Contents), true)
	if err != nil {
		return nil, err
	}
	return &program{code: code, dir: filepath.Dir(path)}, nil
}

func bundleError(msgs []api.Message) error {
	lines := make([]string, len(msgs))
	for i, m := range msgs {
		lines[i] = m.Text
		if l := m.Location; l != nil {
			lines[i] = fmt.Sprintf("%s:%d: %s", filepath.Base(l.File), l.Line, m.Text)
		}
	}
	return fmt.Errorf("%s", strings.Join(lines, "; "))
}

// shimPlugin resolves k6's modules to generated ones that export exactly what the shims have, so that esbuild itself
// names an import which they lack.
func shimPlugin() api.Plugin {
	const namespace = "runner"
	return api.Plugin{Name: "shims", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `^https?:`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{}, fmt.Errorf("%s: modules of other machines are not loaded", a.Path)
		})
		b.OnResolve(api.OnResolveOptions{Filter: `^k6(/|$)`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if _, known := modules()[a.Path]; !known {
				return api.OnResolveResult{}, fmt.Errorf("the module %s is not known to this runner", a.Path)
			}
			return api.OnResolveResult{Path: a.Path, Namespace: namespace}, nil
		})
		b.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: namespace}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			source := moduleSource(a.Path)
			return api.OnLoadResult{Contents: &source}, nil
		})
	}}
}

// moduleSource is the generated ES module of one shim.
func moduleSource(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "const m = %s(%q);\nexport default m;\n", moduleGlobal, name)
	shim := modules()[name](&vu{rt: goja.New()})
	for _, export := range shim.Keys() {
		fmt.Fprintf(&b, "export const %s = m.%s;\n", export, export)
	}
	return b.String()
}

// modules are the shims by the name under which a script imports them. A builder fills an object for one virtual user.
func modules() map[string]func(*vu) *goja.Object {
	return map[string]func(*vu) *goja.Object{
		"k6":           coreModule,
		"k6/http":      httpModule,
		"k6/metrics":   metricsModule,
		"k6/execution": executionModule,
		"k6/data":      dataModule,
	}
}

// loud wraps an object so that reading a property which it does not have throws, with the property's full name.
func loud(rt *goja.Runtime, name string, obj *goja.Object) *goja.Object {
	proxy := rt.NewProxy(obj, &goja.ProxyTrapConfig{
		Get: func(target *goja.Object, property string, _ goja.Value) goja.Value {
			v := target.Get(property)
			// JSON.stringify and await ask every object for these two.
			if v == nil && property != "toJSON" && property != "then" {
				panic(rt.NewTypeError("%s.%s is not known to this runner", name, property))
			}
			return v
		},
	})
	return rt.ToValue(proxy).ToObject(rt)
}
