package wechatpay_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/backends/wire"
)

func TestTheDaysBill(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 20*time.Second)
	_, err := w.client.WholeBill(ctx, today())
	refusedWith(t, err, wechatpay.RefusedNoBill, "NO_STATEMENT_EXIST")
	_, err = w.client.WholeBill(ctx, "2099-01-01")
	refusedWith(t, err, wechatpay.RefusedState, "INVALID_REQUEST")
	one := w.paid(t, "pay-1", plateA, 990)
	w.paid(t, "pay-2", plateB, 1500)
	must[*wechatpay.Refund](t)(w.client.CreateRefund(ctx, wechatpay.RefundOrder{OutRefundNo: "back-1", OutTradeNo: "pay-1", Refund: 400, Total: 990}))
	day := one.SucceededAt.Format(time.DateOnly)
	b, err := w.client.WholeBill(ctx, day)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Rows) != 3 || b.Sum != (wechatpay.BillSum{Count: 3, Settled: 2490, Refunded: 400, Fee: 12540, Total: 2490, RefundAsked: 400}) {
		t.Fatalf("bill = %+v", b)
	}
	p, r := b.Rows[0], b.Rows[2]
	if p.OutTradeNo != "pay-1" || p.TransactionID != one.ID || p.State != wechatpay.RowPaid || p.Total != 990 || p.Fee != 5940 || !p.At.Equal(one.SucceededAt) ||
		p.OutRefundNo != "" || p.MchID != w.cfg.MchID || p.AppID != w.cfg.AppID {
		t.Errorf("payment = %+v", p)
	}
	if r.OutRefundNo != "back-1" || r.State != wechatpay.RowRefund || r.RefundAsked != 400 || r.Refunded != 400 || r.Fee != -2400 || r.OutTradeNo != "pay-1" || r.RefundID == "" || r.Total != 0 {
		t.Errorf("refund = %+v", r)
	}
	w.do(t, wechatpay.Want{What: wechatpay.MakeBill, Number: "pay-1", Hide: true})
	w.do(t, wechatpay.Want{What: wechatpay.MakeBill, Number: "pay-2", Total: 1400})
	w.do(t, wechatpay.Want{What: wechatpay.MakeBill, Number: "back-1", Total: 390})
	w.do(t, wechatpay.Want{What: wechatpay.MakeBill, Number: "ghost", Total: 77, Day: day})
	w.do(t, wechatpay.Want{What: wechatpay.MakeBill, Number: "ghost-back", Total: 7, Day: day, Refund: true})
	if b, err = w.client.WholeBill(ctx, day); err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, r := range b.Rows {
		got += fmt.Sprintf("%s%s %d %d;", r.OutTradeNo, r.OutRefundNo, r.Total, r.RefundAsked)
	}
	if got != "pay-2 1400 0;pay-1back-1 0 390;ghost 77 0;ghost-backghost-back 0 7;" {
		t.Errorf("the bill that differs has %s", got)
	}
}

const billHead = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额," +
	"微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n"

const billFoot = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n"

// aBill has a payment with commas in its texts, and a refund.
const aBill = "\ufeff" + billHead +
	"`2026-05-02 10:00:03,`wx1,`1900000001,`0,`,`4200001,`pay-1,`o1,`AUTH,`SUCCESS,`OTHERS,`CNY,`9.90,`0.10,`0,`0,`0.00,`0.00,`,`,`停车费, 一小时,`a,b,`0.05940,`0.60%,`10.00,`0.00,`\r\n" +
	"`2026-05-02 23:59:59,`wx1,`1900000001,`0,`,`4200001,`pay-1,`o1,`AUTH,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`5030001,`back-1,`4.00,`0.00,`ORIGINAL,`PROCESSING,`停车费,`,`-0.02400,`0.60%,`0.00,`4.00,`\r\n" +
	billFoot + "`2,`9.90,`4.00,`0.00,`0.03540,`10.00,`4.00\r\n"

func TestBillsAreReadStrictly(t *testing.T) {
	with := func(old, now string) string {
		if !strings.Contains(aBill, old) {
			t.Fatalf("%q is not in the bill", old)
		}
		return strings.Replace(aBill, old, now, 1)
	}
	b, err := wechatpay.ParseBill(aBill, "2026-05-02")
	if err != nil || len(b.Rows) != 2 || b.Rows[0].Total != 1000 || b.Rows[0].Settled != 990 || b.Rows[0].Coupon != 10 || b.Rows[1].RefundState != "PROCESSING" ||
		b.Rows[1].Fee != -2400 || b.Rows[0].SubMchID != "" || b.Rows[0].At.Format(time.RFC3339) != "2026-05-02T10:00:03+08:00" {
		t.Fatalf("%+v, %v", b, err)
	}
	swapped := strings.NewReplacer("交易时间,公众账号ID", "公众账号ID,交易时间", "`2026-05-02 10:00:03,`wx1", "`wx1,`2026-05-02 10:00:03", "`2026-05-02 23:59:59,`wx1", "`wx1,`2026-05-02 23:59:59")
	for name, text := range map[string]string{
		"no mark at the beginning": aBill[len("\ufeff"):],
		"other ends of lines":      strings.ReplaceAll(aBill, "\r\n", "\n"),
		"no end of the last line":  strings.TrimSuffix(aBill, "\r\n"),
		"other columns":            swapped.Replace(aBill),
		"an empty day":             billHead + billFoot + "`0,`0.00,`0.00,`0.00,`0.00000,`0.00,`0.00\r\n",
		"a state of its own":       with("`REFUND", "`REVOKED"),
	} {
		if _, err := wechatpay.ParseBill(text, "2026-05-02"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"nothing":                     "",
		"no sums":                     billHead,
		"another day":                 with("2026-05-02 10", "2026-05-03 10"),
		"no time":                     with("2026-05-02 10:00:03", "yesterday"),
		"a column less":               with("设备号,", ""),
		"a column that is needed":     with("订单金额,申请", "金额,申请"),
		"a column twice":              with("设备号", "商户号"),
		"no backtick":                 with("`wx1", "wx1"),
		"no backtick at all":          strings.ReplaceAll(aBill, "`", ""),
		"a value less":                with("`AUTH,", ""),
		"another currency":            with("CNY", "USD"),
		"a word for an amount":        with("`9.90,`0.10", "`nine,`0.10"),
		"a third decimal":             with("`9.90,`0.10", "`9.901,`0.10"),
		"an exponent":                 with("`9.90,`0.10", "`1e3,`0.10"),
		"a plus":                      with("`9.90,`0.10", "`+9.90,`0.10"),
		"no digit before the point":   with("`9.90,`0.10", "`.90,`0.10"),
		"no digit behind the point":   with("`9.90,`0.10", "`9.,`0.10"),
		"more than a number holds":    with("`9.90,`0.10", "`99999999999999999999.90,`0.10"),
		"sums that are more":          with("`2,`9.90", "`2,`9.91"),
		"a count that is more":        with("`2,`9.90", "`3,`9.90"),
		"a row is missing":            with(aBill[strings.Index(aBill, "`2026-05-02 23"):strings.Index(aBill, "总交易单数")], ""),
		"a fee that is more":          with("0.05940", "0.05941"),
		"a payment of nothing":        with("`10.00,`0.00,`\r\n", "`0.00,`0.00,`\r\n"),
		"a payment with a refund":     with("`0,`0,`0.00", "`5,`b,`0.00"),
		"a refund without numbers":    with("`5030001,`back-1", "`0,`0"),
		"a charge without a number":   with("`pay-1", "`"),
		"no state":                    with("`SUCCESS", "`"),
		"something behind the sums":   aBill + "x\r\n",
		"an empty line in the middle": with(billFoot, "\r\n"+billFoot),
	} {
		if b, err := wechatpay.ParseBill(text, "2026-05-02"); err == nil {
			t.Errorf("%s: %+v", name, b)
		} else if strings.Contains(err.Error(), "pay-1") || strings.Contains(err.Error(), "wx1") {
			t.Errorf("%s: the error shows the bill: %v", name, err)
		}
	}
}

// TestABillIsOnlyBelievedWhole: what its checksum, its address or its merchant is not.
func TestABillIsOnlyBelievedWhole(t *testing.T) {
	sum := sha1.Sum([]byte(aBill))
	hash := hex.EncodeToString(sum[:])
	link := "https://api.mch.example/v3/billdownload/file?token=a%2Bb"
	for _, test := range []struct {
		name, hash, kind, link, file, mchID string
		status                              int
		reason                              wire.Reason // "": success
	}{
		{"as it should be", hash, "SHA1", link, aBill, "1900000001", 200, ""},
		{"a checksum in capitals", strings.ToUpper(hash), "SHA1", link, aBill, "1900000001", 200, ""},
		{"a byte changed", hash, "SHA1", link, strings.Replace(aBill, "9.90", "9.91", 1), "1900000001", 200, wechatpay.ReasonSignature},
		{"cut off", hash, "SHA1", link, aBill[:len(aBill)-10], "1900000001", 200, wechatpay.ReasonSignature},
		{"no checksum", "", "SHA1", link, aBill, "1900000001", 200, wire.ReasonGarbage},
		{"another checksum", hash, "MD5", link, aBill, "1900000001", 200, wire.ReasonGarbage},
		{"another address", hash, "SHA1", "https://api.mch.example/v3/refund/domestic/refunds", aBill, "1900000001", 200, wire.ReasonGarbage},
		{"an address that is none", hash, "SHA1", "::", aBill, "1900000001", 200, wire.ReasonGarbage},
		{"another merchant's", hash, "SHA1", link, aBill, "1900000002", 200, wire.ReasonGarbage},
		{"sums that are more", hash, "SHA1", link, strings.Replace(aBill, "`2,`9.90", "`2,`9.91", 1), "1900000001", 200, wire.ReasonGarbage},
		{"not there any more", hash, "SHA1", link, "", "1900000001", 404, wechatpay.ReasonSignature},
		{"nothing", hash, "SHA1", link, "", "1900000001", 204, wechatpay.ReasonSignature},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "sums that are more" {
				own := sha1.Sum([]byte(test.file))
				test.hash = hex.EncodeToString(own[:])
			}
			f := newFake(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
				if strings.HasPrefix(r.URL.Path, "/v3/billdownload/") {
					if r.URL.RawQuery != "token=a%2Bb" || !strings.HasPrefix(r.Header.Get("Authorization"), "WECHATPAY2-") {
						t.Errorf("the file is asked for as %s, %v", r.URL, r.Header)
					}
					w.WriteHeader(test.status)
					_, _ = w.Write([]byte(test.file))
					return
				}
				body := fmt.Sprintf(`{"hash_type":%q,"hash_value":%q,"download_url":%q}`, test.kind, test.hash, test.link)
				send(w, 200, goodSigner().headers(time.Now(), body), body)
			})
			cfg := fakeConfig(f.url, goodSigner())
			cfg.MchID = test.mchID
			b := &wechatpay.Bill{}
			_, err := newClient(t, cfg).TradeBill(twintest.Within(t, 5*time.Second), "2026-05-02", func(r *wechatpay.BillRow) error {
				b.Rows = append(b.Rows, *r)
				return nil
			})
			if test.reason == "" {
				if err != nil || len(b.Rows) != 2 {
					t.Fatalf("%+v, %v", b, err)
				}
				return
			}
			if e := twintest.ErrorOf(t, err); len(b.Rows) > 0 || e.Fate != wire.Unknown || e.Reason != test.reason || e.Op != "TradeBill" {
				t.Errorf("want %s, got %+v", test.reason, e)
			}
		})
	}
}

// TestAmountsAreReadExactly: yuan and fen are the same money.
func TestAmountsAreReadExactly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fen := rapid.Int64Range(1, 1<<45).Draw(rt, "fen")
		yuan := fmt.Sprintf("%d.%02d", fen/100, fen%100)
		text := billHead + "`2026-05-02 10:00:03,`wx1,`1,`0,`,`42,`pay-1,`,`AUTH,`SUCCESS,`X,`CNY,`" + yuan + ",`0.00,`0,`0,`0.00,`0.00,`,`,`,`,`0.00,`0.60%,`" + yuan + ",`0.00,`\n" +
			billFoot + "`1,`" + yuan + ",`0.00,`0.00,`0,`" + yuan + ",`0.00\n"
		b, err := wechatpay.ParseBill(text, "2026-05-02")
		if err != nil || b.Rows[0].Total != fen || b.Sum.Settled != fen {
			rt.Fatalf("%s: %+v, %v", yuan, b, err)
		}
	})
}

// FuzzBill: whatever the file is, a bill adds up or is an error.
func FuzzBill(f *testing.F) {
	f.Add(aBill)
	f.Add("")
	f.Add(billHead + billFoot + "`0,`0.00,`0.00,`0.00,`0.00000,`0.00,`0.00\r\n")
	f.Add(strings.Replace(aBill, "9.90", "-9.90", 2))
	f.Fuzz(func(t *testing.T, text string) {
		b, err := wechatpay.ParseBill(text, "2026-05-02")
		if err != nil {
			return
		}
		var total, asked int64
		for _, r := range b.Rows {
			total, asked = total+r.Total, asked+r.RefundAsked
			if r.OutTradeNo == "" || r.State == wechatpay.RowPaid && r.Total <= 0 || r.State == wechatpay.RowRefund && r.OutRefundNo == "" {
				t.Errorf("half a row: %+v", r)
			}
		}
		if int64(len(b.Rows)) != b.Sum.Count || total != b.Sum.Total || asked != b.Sum.RefundAsked {
			t.Errorf("it does not add up: %+v", b)
		}
	})
}
