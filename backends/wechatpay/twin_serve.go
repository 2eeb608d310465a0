package wechatpay

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/twin"
)

// twinRefusal is an answer that says why not. Its sentence never repeats what was sent.
type twinRefusal struct {
	status  int
	code    string
	message string
	field   string // the member at fault as a JSON Pointer
}

func refuse(status int, code, format string, args ...any) *twinRefusal {
	return &twinRefusal{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func paramError(field, format string, args ...any) *twinRefusal {
	no := refuse(http.StatusBadRequest, "PARAM_ERROR", format, args...)
	no.field = field
	return no
}

func systemError() *twinRefusal {
	return refuse(http.StatusInternalServerError, "SYSTEM_ERROR", "the twin has failed")
}

// body writes a refusal as API v3 does.
func (r *twinRefusal) body() any {
	type detail struct {
		Field    string `json:"field"`
		Location string `json:"location"`
		Issue    string `json:"issue"`
	}
	out := struct {
		Code    string  `json:"code"`
		Message string  `json:"message"`
		Detail  *detail `json:"detail,omitempty"`
	}{Code: r.code, Message: r.message}
	if r.field != "" {
		out.Detail = &detail{r.field, "body", r.message}
	}
	return out
}

// twinRequest is a request that has passed the checks that all have in common.
type twinRequest struct {
	body   []byte
	query  url.Values
	id     string // the path's last segment, where the operation has one
	number string // the merchant's number that it is about, for the books
	by     string // who asks, for the books
	now    time.Time
	before []*twinNotice // is sent before the answer
	host   string        // for links
}

// twinRoute is one operation.
type twinRoute struct {
	method, path string // {}: the id
	query        []string
	serve        func(*Twin, *twinRequest) (out any, no *twinRefusal)
}

func twinRoutes() []twinRoute {
	sub := []string{"sub_mchid"}
	return []twinRoute{
		{"GET", "/v3/certificates", nil, (*Twin).getCertificates},
		{"GET", "/v3/vehicle/parking/services/find", []string{"appid", "sub_mchid", "plate_number", "plate_color", "openid"}, (*Twin).getPlateService},
		{"POST", "/v3/vehicle/parking/parkings", nil, (*Twin).postParking},
		{"POST", "/v3/vehicle/transactions/parking", nil, (*Twin).postTransaction},
		{"GET", "/v3/vehicle/transactions/out-trade-no/{}", sub, (*Twin).getTransaction},
		{"POST", "/v3/refund/domestic/refunds", nil, (*Twin).postRefund},
		{"GET", "/v3/refund/domestic/refunds/{}", sub, (*Twin).getRefund},
		{"GET", "/v3/bill/tradebill", []string{"bill_date", "bill_type", "sub_mchid", "tar_type"}, (*Twin).getTradeBill},
	}
}

// route finds the operation of a request.
func route(r *http.Request) (op *twinRoute, id string) {
	routes := twinRoutes()
	for i := range routes {
		args, ok := twin.Match(routes[i].path, r.URL.EscapedPath())
		if ok && r.Method == routes[i].method {
			return &routes[i], strings.Join(args, "") // one, or none
		}
	}
	return nil, ""
}

// ServeHTTP answers one request.
func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := t.ready(); err != nil {
		http.Error(w, "the twin has no key", http.StatusInternalServerError)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body is cut off", http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodGet && strings.HasPrefix(r.URL.EscapedPath(), downloads) {
		t.serveFile(w, r)
		return
	}
	out, no := t.serve(r, body)
	status := http.StatusOK
	if no != nil {
		status, out = no.status, no.body()
	}
	t.answer(w, status, out)
}

// answer writes and signs an answer.
func (t *Twin) answer(w http.ResponseWriter, status int, out any) {
	body, err := json.Marshal(out, json.Deterministic(true))
	if err == nil {
		err = t.signed(w.Header(), body)
	}
	if err != nil {
		http.Error(w, "the twin cannot write its answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Request-Id", newNonce())
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// serve admits a request and does what it asks for.
func (t *Twin) serve(r *http.Request, body []byte) (any, *twinRefusal) {
	op, id := route(r)
	if op == nil {
		return nil, refuse(http.StatusNotFound, "INVALID_REQUEST", "there is no such operation")
	}
	if no := t.admit(r, body); no != nil {
		return nil, no
	}
	query, err := twin.ReadQuery(r.URL, op.query...)
	if err != nil {
		return nil, paramError("", "%v", err)
	}
	req := &twinRequest{body: body, query: query, id: id, by: r.Header.Get("Traceparent"), now: t.now(), host: r.Host}
	out, no := t.handle(op, req)
	for _, n := range req.before {
		t.deliver(n)
	}
	return out, no
}

// handle serves one request with the books in hand.
func (t *Twin) handle(op *twinRoute, r *twinRequest) (any, *twinRefusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state.Requests++
	t.changes++
	r.by = twin.By(r.by, t.state.Requests)
	t.settle(r.now)
	out, no := op.serve(t, r)
	if no != nil {
		t.refused(r.number, no.code)
	}
	t.arm()
	return out, no
}

// admit checks what every operation demands: the headers, and the merchant's signature.
func (t *Twin) admit(r *http.Request, body []byte) *twinRefusal {
	switch {
	case r.Header.Get("User-Agent") == "":
		return paramError("", "the header User-Agent is missing")
	case !strings.Contains(r.Header.Get("Accept"), "application/json"):
		return paramError("", "the header Accept does not take application/json")
	case r.Method == http.MethodGet && len(body) > 0:
		return paramError("", "this operation takes no body")
	case r.Method == http.MethodPost && !twin.IsType(r.Header, twin.JSON):
		return paramError("", "the Content-Type is not application/json")
	}
	return t.authorized(r, body)
}

func signError(why string) *twinRefusal {
	return refuse(http.StatusUnauthorized, "SIGN_ERROR", "the request's signature is not accepted: %s", why)
}

// authorized checks the Authorization header of API v3.
func (t *Twin) authorized(r *http.Request, body []byte) *twinRefusal {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), scheme+" ")
	if !ok {
		return signError("the scheme is another one")
	}
	got := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(part, "=")
		if _, twice := got[name]; twice || len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
			return signError("a part of it cannot be read")
		}
		got[name] = value[1 : len(value)-1]
	}
	at, err := strconv.ParseInt(got["timestamp"], 10, 64)
	off := t.cfg.Clock().Unix() - at
	switch {
	case len(got) != 5:
		return signError("mchid, nonce_str, signature, timestamp and serial_no are wanted")
	case got["mchid"] != t.cfg.MchID || canonical(got["serial_no"]) != canonical(TwinSerialNo):
		return signError("the merchant or the certificate is not known")
	case err != nil || max(off, -off) > int64(defaultLeeway.Seconds()):
		return signError("the timestamp is not of now")
	case got["nonce_str"] == "" || len(got["nonce_str"]) > maxNonce:
		return signError("the nonce cannot be used")
	case !verify(t.merchant, requestText(r.Method, r.URL.RequestURI(), got["timestamp"], got["nonce_str"], body), got["signature"]):
		return signError("it is not of this request")
	case !t.nonces.first(got["nonce_str"], t.cfg.Clock()):
		return signError("the nonce was used before")
	}
	return nil
}

// decodeStrict fills out from a JSON object without unknown or duplicate members, each of its own type.
func decodeStrict(body []byte, out any) *twinRefusal {
	if field, err := twin.ReadObject(body, out); err != nil {
		return paramError(field, "%v", err)
	}
	return nil
}
