package console

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// isThemed reports whether the page has colours of the tenant's.
func (v *visit) isThemed() bool {
	return v.owner.Portal.Accent != "" || v.owner.Portal.Scheme != ""
}

// themeURL is the address of the tenant's colours. It changes with them.
func (v *visit) themeURL() string { return v.root + "/theme.css?v=" + v.themeVersion() }

func (v *visit) themeVersion() string {
	sum := sha256.Sum256([]byte(v.themeCSS()))
	return hex.EncodeToString(sum[:6])
}

// theme serves the tenant's colours. They are a file, because no page has a style of its own.
func (v *visit) theme() error {
	v.w.Header().Set("Content-Type", mediaTypes[".css"])
	v.keep(v.themeVersion())
	_, _ = v.w.Write([]byte(v.themeCSS())) // the client may have gone
	return nil
}

// The darkest and the lightest of what is behind a text, in assets/console.css.
const (
	lightGround = "#eef2f7"
	darkGround  = "#222830"
	// leastContrast of a text is that of WCAG 2.2 AA.
	leastContrast = 4.5
)

// themeCSS has the tenant's colours. Any accent can be read: it is made darker on light ground, and
// lighter on dark ground, as far as need be.
func (v *visit) themeCSS() string {
	var b strings.Builder
	p := v.owner.Portal
	b.WriteString(":root {\n")
	if p.Scheme != "" {
		fmt.Fprintf(&b, "\tcolor-scheme: %s;\n", p.Scheme)
	}
	if p.Accent != "" {
		light, dark := readable(p.Accent, lightGround), readable(p.Accent, darkGround)
		fmt.Fprintf(&b, "\t--accent: light-dark(%s, %s);\n", light, dark)
		fmt.Fprintf(&b, "\t--link: light-dark(%s, %s);\n", light, dark)
		fmt.Fprintf(&b, "\t--on-accent: light-dark(%s, %s);\n", textOn(light), textOn(dark))
	}
	b.WriteString("}\n")
	return b.String()
}

// colour has the parts red, green and blue, from 0 to 1.
type colour [3]float64

// colourOfHex reads #rrggbb. Anything else is black.
func colourOfHex(s string) (c colour) {
	n, _ := strconv.ParseUint(strings.TrimPrefix(s, "#"), 16, 32)
	for i := range c {
		c[i] = float64(n>>(16-8*i)&0xff) / 255
	}
	return c
}

func (c colour) hex() string {
	var b strings.Builder
	b.WriteByte('#')
	for _, part := range c {
		fmt.Fprintf(&b, "%02x", int(math.Round(part*255)))
	}
	return b.String()
}

// luminance is that of WCAG 2.2.
func (c colour) luminance() float64 {
	var linear colour
	for i, part := range c {
		linear[i] = part / 12.92
		if part > 0.04045 {
			linear[i] = math.Pow((part+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*linear[0] + 0.7152*linear[1] + 0.0722*linear[2]
}

// contrastOf is the contrast ratio of WCAG 2.2.
func contrastOf(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// readable returns a colour that can be read on a ground: the one given, or one mixed with as
// little black or white as need be.
func readable(given, ground string) string {
	c, behind := colourOfHex(given), colourOfHex(ground)
	towards := colour{} // black
	if behind.luminance() < 0.5 {
		towards = colour{1, 1, 1}
	}
	const steps = 50
	for i := range steps {
		mixed := c
		for part := range mixed {
			mixed[part] += (towards[part] - mixed[part]) * float64(i) / steps
		}
		// as it is written, in whole steps
		if mixed = colourOfHex(mixed.hex()); contrastOf(mixed, behind) >= leastContrast {
			return mixed.hex()
		}
	}
	return towards.hex()
}

// textOn returns black or white, whichever can be read better on a colour.
func textOn(ground string) string {
	black, white, behind := colour{}, colour{1, 1, 1}, colourOfHex(ground)
	if contrastOf(black, behind) > contrastOf(white, behind) {
		return black.hex()
	}
	return white.hex()
}
