package hangzhou

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/backends/twin"
)

// twinRefusal is an answer that says why not. Its sentence never repeats what was sent.
type twinRefusal struct {
	code    string
	message string
}

func refuse(code, format string, args ...any) *twinRefusal {
	return &twinRefusal{code, fmt.Sprintf(format, args...)}
}

// twinOperation is one path of the interface.
type twinOperation struct {
	name   string
	schema []field
	serve  func(*Twin, *record) (data any, no *twinRefusal)
}

func twinOperations() map[string]twinOperation {
	return map[string]twinOperation{
		pathHeartbeat:        {"Heartbeat", heartbeatSchema(), (*Twin).heartbeat},
		pathState:            {"State", stateSchema(), (*Twin).berths},
		pathIn:               {"Arrive", arrivalSchema(), (*Twin).arrive},
		pathOut:              {"Depart", departureSchema(), (*Twin).depart},
		pathApply:            {"ApplyPayment", chargeSchema(), (*Twin).apply},
		pathPaid:             {"Pay", paymentSchema(), (*Twin).pay},
		pathDaily:            {"DailyBills", dailySchema(), (*Twin).daily},
		pathConfirmDeparture: {"ConfirmDeparture", confirmSchema(), func(t *Twin, r *record) (any, *twinRefusal) { return t.confirm(r, topicDeparture) }},
		pathConfirmResult:    {"ConfirmPayResult", confirmSchema(), func(t *Twin, r *record) (any, *twinRefusal) { return t.confirm(r, topicResult) }},
	}
}

// ServeHTTP answers one request. Whatever is refused is so with status 200 and a resultCode, but for paths that are none.
func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op, ok := twinOperations()[r.URL.Path]
	if !ok || r.Method != http.MethodPost || r.URL.RawQuery != "" {
		http.Error(w, "the city has no such operation", http.StatusNotFound)
		return
	}
	plain, no := t.admit(r)
	var in *record
	if no == nil {
		in, no = readRecord(plain, op.schema)
	}
	if no == nil && in.text["parkingCode"] != "" && in.text["parkingCode"] != t.cfg.Name {
		no = refuse(CodeForbidden, "parkingCode: it is not a lot of this access id")
	}
	var data any
	if no == nil {
		data, no = t.handle(op, in)
	} else {
		t.mu.Lock()
		t.refuse(op.name, no)
		t.mu.Unlock()
	}
	answer(w, data, no)
}

func answer(w http.ResponseWriter, data any, no *twinRefusal) {
	out := struct {
		Code jsontext.Value `json:"resultCode"`
		Msg  string         `json:"msg"`
		Data any            `json:"data,omitzero"`
	}{jsontext.Value("200"), "success", data}
	if no != nil {
		out.Code, out.Msg = jsontext.Value(no.code), no.message
	}
	twin.WriteJSON(w, http.StatusOK, twin.JSON, out)
}

// admit takes the envelope apart and returns what is in it.
func (t *Twin) admit(r *http.Request) ([]byte, *twinRefusal) {
	body, err := twin.ReadBody(r, "application/x-www-form-urlencoded")
	if err != nil {
		return nil, refuse(CodeBadRequest, "%v", err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form) != 3 || len(form["accessID"]) != 1 || len(form["cipher"]) != 1 || len(form["sign"]) != 1 {
		return nil, refuse(CodeBadRequest, "the form is not accessID, cipher and sign, each once")
	}
	if form.Get("accessID") != t.cfg.Name {
		return nil, refuse(CodeUnauthorized, "the access id is not known")
	}
	plain, err := envelope{form.Get("cipher"), form.Get("sign")}.open(t.lot)
	if err != nil {
		return nil, refuse(CodeUnauthorized, "the envelope is not believed: %v", err)
	}
	return plain, nil
}

// handle serves one request that fits, and then tells what it has led to.
func (t *Twin) handle(op twinOperation, r *record) (any, *twinRefusal) {
	t.mu.Lock()
	t.state.Requests++
	t.changes++
	data, no := op.serve(t, r)
	if no != nil {
		t.refuse(op.name, no)
	}
	t.mu.Unlock()
	t.after(r)
	return data, no
}

// after does what the operation has asked for, once its lock is given back.
func (t *Twin) after(r *record) {
	for _, then := range r.then {
		then()
	}
}
