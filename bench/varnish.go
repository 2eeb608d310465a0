package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

// varnishVCL keeps what the origin answered once. Out of the box a request with a token is never answered from the cache.
const varnishVCL = `vcl 4.1;
backend default { .host = %q; .port = %q; }
sub vcl_recv { unset req.http.Authorization; return (hash); }
sub vcl_backend_response { unset beresp.http.Set-Cookie; unset beresp.http.Vary; set beresp.ttl = 1h; return (deliver); }
`

// startVarnish starts Varnish in front of an origin.
func startVarnish(r *run, name, origin string) (*subject, error) {
	program, err := exec.LookPath("varnishd")
	if err != nil {
		return nil, fmt.Errorf("varnishd is not there: .ci/peers installs it: %w", err)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(origin)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(r.dir, "varnish.vcl")
	if err := os.WriteFile(file, fmt.Appendf(nil, varnishVCL, host, port), 0o600); err != nil {
		return nil, err
	}
	return launch(r, name, address, nil, program, "-F", "-j", "none", "-a", address, "-f", file,
		"-n", filepath.Join(r.dir, "varnish"), "-s", "malloc,64m", "-T", "none")
}
