package wechatpay

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BillRow is one payment or one refund. Amounts are fen.
type BillRow struct {
	At            time.Time // of the payment, or when the refund was accepted
	AppID         string
	MchID         string
	SubMchID      string // "": none
	TransactionID string // the provider's number of the charge
	OutTradeNo    string
	TradeType     string
	State         string // RowPaid, RowRefund, or the provider's own word
	BankType      string
	Settled       int64  // 应结订单金额: what is settled with the merchant
	Coupon        int64  // 代金券金额
	RefundID      string // the provider's number of the refund; "" of a payment
	OutRefundNo   string // "" of a payment
	Refunded      int64  // 退款金额: what is settled back
	CouponBack    int64  // 充值券退款金额
	RefundState   string // as it was when the bill was made; "" of a payment
	Fee           int64  // 手续费 in hundred-thousandths of a yuan: negative where it is given back
	Total         int64  // 订单金额: the charge's Total
	RefundAsked   int64  // 申请退款金额: the refund's Refund
}

// The states of a row.
const (
	RowPaid   = "SUCCESS"
	RowRefund = "REFUND"
)

// BillSum is the last line of a bill. Amounts are as in BillRow.
type BillSum struct {
	Count       int64
	Settled     int64
	Refunded    int64
	CouponBack  int64
	Fee         int64
	Total       int64
	RefundAsked int64
}

// The columns of a bill that are read, and the columns of its sums.
const (
	colAt, colAppID, colMchID, colSubMchID      = "交易时间", "公众账号ID", "商户号", "特约商户号"
	colID, colOut, colType, colState            = "微信订单号", "商户订单号", "交易类型", "交易状态"
	colBank, colCurrency, colSettled, colCoupon = "付款银行", "货币种类", "应结订单金额", "代金券金额"
	colRefundID, colOutRefund, colRefunded      = "微信退款单号", "商户退款单号", "退款金额"
	colCouponBack, colRefundState, colFee       = "充值券退款金额", "退款状态", "手续费"
	colTotal, colRefundAsked                    = "订单金额", "申请退款金额"

	sumCount, sumSettled, sumRefunded = "总交易单数", "应结订单总金额", "退款总金额"
	sumCouponBack, sumFee             = "充值券退款总金额", "手续费总金额"
	sumTotal, sumRefundAsked          = "订单总金额", "申请退款总金额"
)

func billColumns() []string {
	return []string{colAt, colAppID, colMchID, colSubMchID, colID, colOut, colType, colState, colBank, colCurrency, colSettled, colCoupon,
		colRefundID, colOutRefund, colRefunded, colCouponBack, colRefundState, colFee, colTotal, colRefundAsked}
}

func sumColumns() []string {
	return []string{sumCount, sumSettled, sumRefunded, sumCouponBack, sumFee, sumTotal, sumRefundAsked}
}

// feeUnit is how many of Fee's units a fen is.
const feeUnit = 1000

// maxLine is how long a line of a bill may be.
const maxLine = 64 << 10

// readBill reads the bill of a day and gives take its rows, one after the other. It is strict: whatever does not fit is an
// error that names the row, and shows nothing of it. The columns may be in any order, and there may be more. That the rows add
// up to the sums is known at the end: what take was given counts only where there is no error.
func readBill(text io.Reader, day string, take func(r *BillRow) error) (sum BillSum, err error) {
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, maxLine)
	if !lines.Scan() {
		return sum, cmp.Or(lines.Err(), errShort)
	}
	head, err := newTable(strings.TrimPrefix(lines.Text(), "\ufeff"), billColumns())
	if err != nil {
		return sum, err
	}
	var got BillSum
	var last []string // the two lines before: the last two are no rows
	for lines.Scan() {
		if last = append(last, lines.Text()); len(last) < 3 {
			continue
		}
		row, err := head.row(last[0], day)
		if err == nil {
			got.add(&row)
			err = take(&row)
		} else {
			err = fmt.Errorf("row %d of the bill: %w", got.Count+1, err)
		}
		if err != nil {
			return sum, err
		}
		last = append(last[:0], last[1:]...)
	}
	if err := lines.Err(); err != nil || len(last) < 2 {
		return sum, cmp.Or(err, errShort)
	}
	foot, err := newTable(last[0], sumColumns())
	if err != nil {
		return sum, err
	}
	if sum, err = foot.sum(last[1]); err != nil {
		return sum, fmt.Errorf("the sums of the bill: %w", err)
	}
	if got != sum {
		err = fmt.Errorf("the rows of the bill do not add up to its sums: want %+v, got %+v", sum, got)
	}
	return sum, err
}

var errShort = errors.New("a bill has 3 lines at least")

// add counts a row.
func (s *BillSum) add(r *BillRow) {
	s.Count++
	s.Settled += r.Settled
	s.Refunded += r.Refunded
	s.CouponBack += r.CouponBack
	s.Fee += r.Fee
	s.Total += r.Total
	s.RefundAsked += r.RefundAsked
}

// table is how the fields of a line are found.
type table struct {
	width int
	at    map[string]int
}

func newTable(line string, want []string) (*table, error) {
	names := strings.Split(line, ",")
	t := &table{width: len(names), at: make(map[string]int, len(names))}
	for i, name := range names {
		name = strings.TrimPrefix(name, "`")
		if _, twice := t.at[name]; twice {
			return nil, errors.New("a column of the bill is there twice")
		}
		t.at[name] = i
	}
	if i := slices.IndexFunc(want, func(name string) bool { _, ok := t.at[name]; return !ok }); i >= 0 {
		return nil, fmt.Errorf("the bill has no column %s", want[i])
	}
	return t, nil
}

// fields takes a line apart: every value has a backtick before it, and may have commas in it.
func (t *table) fields(line string) (*fields, error) {
	rest, ok := strings.CutPrefix(line, "`")
	all := strings.Split(rest, ",`")
	if !ok || len(all) != t.width {
		return nil, fmt.Errorf("want %d values with a backtick before each, got %d", t.width, len(all))
	}
	return &fields{table: t, all: all}, nil
}

// fields are the values of a line; err is the first that could not be read.
type fields struct {
	table *table
	all   []string
	err   error
}

func (f *fields) text(column string) string { return f.all[f.table.at[column]] }

// id is a value for which "0" and nothing mean the same.
func (f *fields) id(column string) string {
	s := f.text(column)
	if s == "0" {
		return ""
	}
	if len(s) > MaxOutRefundNo {
		f.fail(column)
	}
	return s
}

// amount reads yuan with up to places decimals, as units of the last of them.
func (f *fields) amount(column string, places int) int64 {
	n, ok := parseAmount(f.text(column), places)
	if !ok {
		f.fail(column)
	}
	return n
}

func (f *fields) fail(column string) {
	if f.err == nil {
		f.err = fmt.Errorf("column %s cannot be read", column)
	}
}

// parseAmount reads a decimal number with at most places decimals into units of the last of them, below MaxTotal.
func parseAmount(s string, places int) (int64, bool) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, part, dotted := strings.Cut(digits, ".")
	if !isDigits(whole, 16) || dotted && !isDigits(part, places) {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", places-len(part)), 10, 64)
	if err != nil || n >= MaxTotal {
		return 0, false
	}
	if negative {
		n = -n
	}
	return n, true
}

// row reads one payment or refund of a day.
func (t *table) row(line, day string) (BillRow, error) {
	f, err := t.fields(line)
	if err != nil {
		return BillRow{}, err
	}
	at, err := time.ParseInLocation(time.DateTime, f.text(colAt), china())
	if err != nil || at.Format(time.DateOnly) != day {
		return BillRow{}, fmt.Errorf("column %s is no time of the day", colAt)
	}
	r := BillRow{At: at, AppID: f.text(colAppID), MchID: f.text(colMchID), SubMchID: f.id(colSubMchID), TransactionID: f.id(colID),
		OutTradeNo: f.id(colOut), TradeType: f.text(colType), State: f.text(colState), BankType: f.text(colBank),
		Settled: f.amount(colSettled, 2), Coupon: f.amount(colCoupon, 2), RefundID: f.id(colRefundID), OutRefundNo: f.id(colOutRefund),
		Refunded: f.amount(colRefunded, 2), CouponBack: f.amount(colCouponBack, 2), RefundState: f.text(colRefundState),
		Fee: f.amount(colFee, 5), Total: f.amount(colTotal, 2), RefundAsked: f.amount(colRefundAsked, 2)}
	if f.text(colCurrency) != currency {
		f.fail(colCurrency)
	}
	if f.err != nil {
		return BillRow{}, f.err
	}
	return r, r.check()
}

// check holds a row against what it says it is.
func (r *BillRow) check() error {
	refunds := r.RefundID != "" || r.OutRefundNo != ""
	switch {
	case r.TransactionID == "" || r.OutTradeNo == "" || !isWord(r.State):
		return errors.New("it is of no charge, or in no state")
	case r.State == RowPaid && (refunds || r.Total <= 0 || r.Refunded != 0 || r.RefundAsked != 0):
		return errors.New("a payment has an amount and no refund")
	case r.State == RowRefund && (r.RefundID == "" || r.OutRefundNo == "" || r.RefundAsked <= 0):
		return errors.New("a refund has its numbers and an amount")
	}
	return nil
}

// sum reads the last line.
func (t *table) sum(line string) (BillSum, error) {
	f, err := t.fields(line)
	if err != nil {
		return BillSum{}, err
	}
	s := BillSum{Count: f.amount(sumCount, 0), Settled: f.amount(sumSettled, 2), Refunded: f.amount(sumRefunded, 2),
		CouponBack: f.amount(sumCouponBack, 2), Fee: f.amount(sumFee, 5), Total: f.amount(sumTotal, 2), RefundAsked: f.amount(sumRefundAsked, 2)}
	return s, f.err
}

// China is the zone of the provider's days.
func China() *time.Location { return china() }

// china is the provider's zone. It has had no summer time since API v3 exists.
func china() *time.Location { return time.FixedZone("CST", 8*3600) }
