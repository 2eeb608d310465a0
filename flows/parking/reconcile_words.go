package parking

import (
	"strings"

	"github.com/warmgate/warmgate/gateway"
)

// kindDifference is the kind of the assists about differences with a collector's bill of a day.
const kindDifference = "parking-bill-differs"

// What a collector's bill and the books differ in.
const (
	whatUnknown   = "unknown"   // in the bill, and of nothing here
	whatMissing   = "missing"   // paid here, and not in the bill
	whatAmount    = "amount"    // in both, with two amounts
	whatState     = "state"     // in both, paid in one of them alone
	whatReference = "reference" // in both, with two numbers of the collector's
	whatTwice     = "twice"     // in the bill more than once
)

// sayDifference says what is to be done about one.
func sayDifference(what string) gateway.Text {
	what, isRefund := strings.CutPrefix(what, "refund-")
	zh, en := "收款", "payment"
	if isRefund {
		zh, en = "退款", "refund"
	}
	say := map[string]gateway.Text{
		whatUnknown:   {Zh: "有一笔本系统没有的%s，请与收款方核实其来历并处理", En: "The collector's bill has a %s that is of nothing here: find out what it was for, and settle it with them"},
		whatMissing:   {Zh: "缺少本系统已入账的一笔%s，请向收款方索要凭证", En: "A %s that is booked here is not in the collector's bill: have them show where it is"},
		whatAmount:    {Zh: "与本系统的一笔%s金额不符，请逐项核对", En: "A %s has another amount in the collector's bill than here: compare the two and settle the difference"},
		whatState:     {Zh: "与本系统的一笔%s状态不符，请向收款方查询", En: "A %s is done by the collector's bill or by the books here, and not by both: ask them how it stands"},
		whatReference: {Zh: "与本系统的一笔%s流水号不符，请逐项核对", En: "A %s has another number of the collector's in their bill than here: find out which one is it"},
		whatTwice:     {Zh: "重复出现同一笔%s，请核实是否重复收付", En: "The collector's bills have the same %s more than once: find out whether it was made twice"},
	}[what]
	return gateway.Text{Zh: "对账单" + strings.Replace(say.Zh, "%s", zh, 1), En: strings.Replace(say.En, "%s", en, 1)}
}

// trimCollector takes a reference of the books as the collector writes it.
func trimCollector(reference string) string {
	if _, own, ok := strings.Cut(reference, "/"); ok {
		return own
	}
	return reference
}
