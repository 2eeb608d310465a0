package wechatpay

import (
	"crypto/sha1" //nolint:gosec // the provider's choice for a checksum whose own value is signed
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxFiles is how many bills can be downloaded at once; older links end.
const maxFiles = 8

// billAlter makes the day's bill differ from the books.
type billAlter struct {
	Number string `json:"number"`          // of a charge or refund; one that there is not appears
	Hide   bool   `json:"hide,omitzero"`   // it is not in the bill
	Total  int64  `json:"total,omitzero"`  // fen: the bill has this amount
	Day    string `json:"day,omitzero"`    // of one that there is not
	Refund bool   `json:"refund,omitzero"` // one that there is not is a refund
	Copies int    `json:"copies,omitzero"` // it is there so often
}

// billLine is one line of a bill before it is written.
type billLine struct {
	at            time.Time
	appID, subMch string
	id, out       string
	state, bank   string
	refundID      string
	outRefund     string
	refundState   string
	total, back   int64 // fen
	description   string
	attach        string
}

func (t *Twin) getTradeBill(r *twinRequest) (any, *twinRefusal) {
	day, kind := r.query.Get("bill_date"), r.query.Get("bill_type")
	at, err := time.ParseInLocation(time.DateOnly, day, china())
	switch {
	case err != nil:
		return nil, paramError("/bill_date", "a parameter does not fit: want YYYY-MM-DD")
	case kind != "" && kind != "ALL" || r.query.Has("tar_type"):
		return nil, paramError("/bill_type", "this twin makes bills of ALL, not compressed")
	case at.After(r.now) || at.Before(r.now.AddDate(0, -3, -1)):
		return nil, refuse(http.StatusBadRequest, "INVALID_REQUEST", "bills are of the last three months")
	}
	if t.state.Behaviour.NotReady {
		return nil, refuse(http.StatusBadRequest, "STATEMENT_CREATING", "the bill of the day is still being made")
	}
	lines := t.lines(day)
	if len(lines) == 0 {
		return nil, refuse(http.StatusBadRequest, "NO_STATEMENT_EXIST", "nothing was paid or refunded on the day")
	}
	text := t.writeBill(lines)
	if len(t.files) >= maxFiles {
		clear(t.files)
	}
	token := newNonce()
	t.files[token] = text
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see the import
	return struct {
		HashType string `json:"hash_type"`
		Hash     string `json:"hash_value"`
		URL      string `json:"download_url"`
	}{"SHA1", hex.EncodeToString(sum[:]), "http://" + r.host + downloads + "file?token=" + token}, nil
}

// serveFile answers a bill. It is not signed, as the provider's are not.
func (t *Twin) serveFile(w http.ResponseWriter, r *http.Request) {
	if no := t.authorized(r, nil); no != nil {
		t.answer(w, no.status, no.body())
		return
	}
	t.mu.Lock()
	text, ok := t.files[r.URL.Query().Get("token")]
	t.mu.Unlock()
	if !ok {
		no := refuse(http.StatusBadRequest, "INVALID_REQUEST", "the link has ended")
		t.answer(w, no.status, no.body())
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text))
}

// lines returns what a day's bill has. The caller holds mu.
func (t *Twin) lines(day string) []billLine {
	altered := map[string]billAlter{}
	for _, a := range t.state.Altered {
		altered[a.Number] = a
	}
	var out []billLine
	add := func(number string, l billLine) {
		a, odd := altered[number]
		delete(altered, number)
		if l.at.In(china()).Format(time.DateOnly) != day || a.Hide {
			return
		}
		if odd && a.Total > 0 && l.state == RowRefund {
			l.back = a.Total
		} else if odd && a.Total > 0 {
			l.total = a.Total
		}
		out = append(out, slices.Repeat([]billLine{l}, max(a.Copies, 1))...)
	}
	for _, c := range t.state.Charges {
		if c.State == Success || c.State == Refunded {
			add(c.OutTradeNo, billLine{at: c.SucceededAt, appID: c.AppID, subMch: c.SubMchID, id: c.ID, out: c.OutTradeNo, state: RowPaid,
				bank: "OTHERS", total: *c.Amount.Total, description: c.Description, attach: c.Attach})
		}
	}
	for _, r := range t.state.Refunds {
		c := t.charges[r.OutTradeNo]
		add(r.OutRefundNo, billLine{at: r.CreatedAt, appID: c.AppID, subMch: c.SubMchID, id: c.ID, out: c.OutTradeNo, state: RowRefund, bank: "OTHERS",
			refundID: r.ID, outRefund: r.OutRefundNo, refundState: string(r.State), back: r.Refund, description: c.Description, attach: c.Attach})
	}
	for _, a := range t.state.Altered { // what the books do not have
		if _, left := altered[a.Number]; !left || a.Day != day || a.Hide {
			continue
		}
		at, _ := time.ParseInLocation(time.DateOnly, day, china())
		l := billLine{at: at.Add(12 * time.Hour), appID: "wx0", id: "42" + strings.Repeat("0", 26), out: a.Number, state: RowPaid, bank: "OTHERS", total: a.Total}
		if a.Refund {
			l.state, l.refundID, l.outRefund, l.refundState, l.back, l.total = RowRefund, "50"+strings.Repeat("0", 26), a.Number, string(RefundSuccess), a.Total, 0
		}
		out = append(out, slices.Repeat([]billLine{l}, max(a.Copies, 1))...)
	}
	return out
}

// writeBill writes a bill as the provider does: amounts in yuan, a backtick before each value.
func (t *Twin) writeBill(lines []billLine) string {
	var b strings.Builder
	b.WriteString("\ufeff" + strings.Join([]string{colAt, colAppID, colMchID, colSubMchID, "设备号", colID, colOut, "用户标识", colType, colState, colBank,
		colCurrency, colSettled, colCoupon, colRefundID, colOutRefund, colRefunded, colCouponBack, "退款类型", colRefundState, "商品名称",
		"商户数据包", colFee, "费率", colTotal, colRefundAsked, "费率备注"}, ",") + "\r\n")
	var total, back, fee int64
	for i := range lines {
		l := &lines[i]
		cost := (l.total - l.back) * feeUnit * 6 / 1000
		total, back, fee = total+l.total, back+l.back, fee+cost
		kind := ""
		if l.state == RowRefund {
			kind = "ORIGINAL"
		}
		writeLine(&b, l.at.In(china()).Format(time.DateTime), l.appID, t.cfg.MchID, orZero(l.subMch), "", l.id, l.out, "", "AUTH", l.state, l.bank,
			currency, yuan(l.total), yuan(0), orZero(l.refundID), orZero(l.outRefund), yuan(l.back), yuan(0), kind, l.refundState, l.description,
			l.attach, fine(cost), "0.60%", yuan(l.total), yuan(l.back), "")
	}
	b.WriteString(strings.Join(sumColumns(), ",") + "\r\n")
	writeLine(&b, fmt.Sprint(len(lines)), yuan(total), yuan(back), yuan(0), fine(fee), yuan(total), yuan(back))
	return b.String()
}

func writeLine(b *strings.Builder, values ...string) {
	b.WriteString("`" + strings.Join(values, ",`") + "\r\n")
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

// yuan writes fen as yuan.
func yuan(fen int64) string { return decimal(fen, 100, 2) }

// fine writes hundred-thousandths of a yuan as yuan.
func fine(n int64) string { return decimal(n, 100*feeUnit, 5) }

func decimal(n, unit int64, places int) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%0*d", sign, n/unit, places, n%unit)
}
