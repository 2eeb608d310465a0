package front

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Bounds of a PROXY header (the PROXY protocol, versions 1 and 2, by HAProxy).
const (
	proxyV1Max = 107  // bytes of a version 1 line, CRLF included
	proxyV2Max = 4096 // bytes after the fixed part of version 2; the protocol allows 65535
	proxyV2Sig = "\r\n\r\n\x00\r\nQUIT\n"
)

var (
	errNoProxyHeader  = errors.New("cannot read a PROXY header: there is none")
	errBadProxyHeader = errors.New("cannot read the PROXY header: it is malformed")
)

// readProxyHeader reads exactly one PROXY header from r, and no byte after it: TLS or the request follows. The zero
// Addr means that the proxy speaks for itself (LOCAL, a health check) or does not know its client (UNKNOWN, UNSPEC).
func readProxyHeader(r io.Reader) (netip.Addr, error) {
	var b [proxyV1Max]byte
	if _, err := io.ReadFull(r, b[:len(proxyV2Sig)]); err != nil {
		return netip.Addr{}, fmt.Errorf("cannot read a PROXY header: %w", err)
	}
	if string(b[:len(proxyV2Sig)]) == proxyV2Sig {
		return readProxyV2(r)
	}
	if string(b[:6]) != "PROXY " {
		return netip.Addr{}, errNoProxyHeader
	}
	n := len(proxyV2Sig)
	for b[n-1] != '\n' { // a byte at a time: what follows belongs to the next reader
		if n == len(b) {
			return netip.Addr{}, errBadProxyHeader
		}
		if _, err := io.ReadFull(r, b[n:n+1]); err != nil {
			return netip.Addr{}, fmt.Errorf("cannot read a PROXY header: %w", err)
		}
		n++
	}
	line, ok := strings.CutSuffix(string(b[6:n]), "\r\n")
	if !ok {
		return netip.Addr{}, errBadProxyHeader
	}
	return parseProxyV1(line)
}

// parseProxyV1 reads what stands after "PROXY ": family, source, destination, their ports.
func parseProxyV1(line string) (netip.Addr, error) {
	w := strings.Split(line, " ")
	if w[0] == "UNKNOWN" {
		return netip.Addr{}, nil
	}
	if len(w) != 5 || (w[0] != "TCP4" && w[0] != "TCP6") {
		return netip.Addr{}, errBadProxyHeader
	}
	for _, port := range w[3:] {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return netip.Addr{}, errBadProxyHeader
		}
	}
	src, err := netip.ParseAddr(w[1])
	dst, err2 := netip.ParseAddr(w[2])
	v4 := w[0] == "TCP4"
	if err != nil || err2 != nil || src.Is4() != v4 || dst.Is4() != v4 || src.Zone() != "" {
		return netip.Addr{}, errBadProxyHeader
	}
	return src.Unmap(), nil
}

// readProxyV2 reads what stands after the signature of version 2. Its TLVs are skipped.
func readProxyV2(r io.Reader) (netip.Addr, error) {
	var fixed [4]byte // version and command, family and transport, length
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return netip.Addr{}, fmt.Errorf("cannot read a PROXY header: %w", err)
	}
	n := int(binary.BigEndian.Uint16(fixed[2:]))
	if fixed[0]>>4 != 2 || n > proxyV2Max {
		return netip.Addr{}, errBadProxyHeader
	}
	rest := make([]byte, n)
	if _, err := io.ReadFull(r, rest); err != nil {
		return netip.Addr{}, fmt.Errorf("cannot read a PROXY header: %w", err)
	}
	const local, proxied, unspec, tcp4, tcp6 = 0, 1, 0x00, 0x11, 0x21
	switch command, family := fixed[0]&0xf, fixed[1]; {
	case command == local, command == proxied && family == unspec:
		return netip.Addr{}, nil
	case command == proxied && family == tcp4 && n >= 12:
		return netip.AddrFrom4([4]byte(rest[:4])), nil
	case command == proxied && family == tcp6 && n >= 36:
		return netip.AddrFrom16([16]byte(rest[:16])).Unmap(), nil
	}
	return netip.Addr{}, errBadProxyHeader
}
