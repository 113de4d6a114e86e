package document_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// colours of a style sheet: by theme (light, dark), by name.
func colours(t *testing.T, file string) map[string]map[string]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	light, rest, _ := strings.Cut(string(b), "prefers-color-scheme: dark")
	dark, _, _ := strings.Cut(rest, "}\n}")
	out := map[string]map[string]string{"light": {}, "dark": {}}
	for theme, text := range map[string]string{"light": light, "dark": dark} {
		for _, m := range regexp.MustCompile(`--(\w+): (#[0-9a-f]{3,6})`).FindAllStringSubmatch(text, -1) {
			if out[theme][m[1]] == "" {
				out[theme][m[1]] = m[2]
			}
		}
	}
	return out
}

// luminance by WCAG 2.2.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	hex := strings.TrimPrefix(colour, "#")
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(v uint64) float64 {
		c := float64(v&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

// TestColoursKeepTheirContrast: every text of both pages has 4.5:1 on what it stands
// on, in light and in dark.
func TestColoursKeepTheirContrast(t *testing.T) {
	for file, pairs := range map[string][][2]string{
		"page.css":             {{"ink", "paper"}, {"dim", "paper"}, {"link", "paper"}, {"ink", "code"}, {"ink", "mindbg"}, {"link", "code"}},
		"../dossier/page.html": {{"ink", "paper"}, {"soft", "paper"}, {"good", "paper"}, {"mind", "paper"}, {"bad", "paper"}, {"ink", "tint"}},
	} {
		for theme, by := range colours(t, file) {
			for _, p := range pairs {
				if by[p[0]] == "" || by[p[1]] == "" {
					t.Fatalf("%s, %s: no %v", file, theme, p)
				}
				a, b := luminance(t, by[p[0]]), luminance(t, by[p[1]])
				if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
					t.Errorf("%s, %s: %s on %s is %.2f:1", file, theme, p[0], p[1], ratio)
				}
			}
		}
	}
}

// TestEachBlockCanBeCopiedAndNothingElseRuns: one script, allowed by its hash alone.
func TestEachBlockCanBeCopiedAndNothingElseRuns(t *testing.T) {
	b, err := os.ReadFile("../../docs/sop/CF_ACCESS_SVC_CONSOLE.html")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	if strings.Count(page, "<script") != 1 || !strings.Contains(page, "script-src 'sha256-") || !strings.Contains(page, `className = "copy"`) {
		t.Error("the page has not the one script that copies")
	}
	if strings.Contains(page[:strings.Index(page, "@media print")], "overflow-wrap: anywhere") {
		t.Error("on a phone words are broken anywhere")
	}
}
