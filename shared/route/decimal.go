package route

import (
	"cmp"
	"strconv"
	"strings"
)

// decimal is a number as JSON writes it, exactly: sign × 0.digits × 10^magnitude. Zero is the zero value.
type decimal struct {
	sign      int
	digits    string // neither begins nor ends with 0
	magnitude int
}

// parseDecimal reads a valid JSON number. Exponents beyond 32 bits count as the largest of those.
func parseDecimal(number string) decimal {
	mantissa, exponent := number, 0
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		e, _ := strconv.ParseInt(number[i+1:], 10, 32) // out of range it gives the bound
		mantissa, exponent = number[:i], int(e)
	}
	d := decimal{sign: 1}
	if mantissa[0] == '-' {
		d.sign, mantissa = -1, mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	d.magnitude = exponent + len(digits) - len(fraction)
	if d.digits = strings.TrimRight(digits, "0"); d.digits == "" {
		return decimal{}
	}
	return d
}

// String writes d as a JSON number, equal numbers alike.
func (d decimal) String() string {
	exponent := d.magnitude - len(d.digits)
	text := d.digits
	switch {
	case d.sign == 0:
		return "0"
	case d.sign < 0:
		text = "-" + text
	}
	if exponent != 0 {
		text += "e" + strconv.Itoa(exponent)
	}
	return text
}

func (d decimal) compare(o decimal) int {
	if d.sign != o.sign {
		return cmp.Compare(d.sign, o.sign)
	}
	return d.sign * cmp.Or(cmp.Compare(d.magnitude, o.magnitude), strings.Compare(d.digits, o.digits))
}
