package wechatpay

// ParseBill is what TradeBill reads a file with.
func ParseBill(text, day string) (*Bill, error) { return parseBill(text, day) }
