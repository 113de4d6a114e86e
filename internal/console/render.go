package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"rekey/internal/cred"
	"rekey/internal/engine"
	"rekey/internal/report"
	"rekey/internal/rotation"
	"rekey/internal/visible"
)

//go:embed pages
var pageFiles embed.FS

// templates are those of one page: "frame" is the whole.
type templates = template.Template

// pageNames are the files under pages; each with the frame and the parts around it.
var pageNames = []string{"estate", "credential", "plan", "run", "back", "runs", "calendar", "approvals", "findings", "evidence", "verified", "health", "ask", "problem"}

func (c *Console) readPages() (map[string]*templates, error) {
	frame, err := template.New("frame").Funcs(c.funcs()).ParseFS(pageFiles, "pages/frame.html", "pages/parts.html")
	if err != nil {
		return nil, err
	}
	out := map[string]*templates{}
	for _, name := range pageNames {
		t, err := frame.Clone()
		if err == nil {
			t, err = t.ParseFS(pageFiles, "pages/"+name+".html")
		}
		if err != nil {
			return nil, err
		}
		out[name] = t
	}
	return out, nil
}

// page is what every page has, around a body of its own kind.
type page[T any] struct {
	Title     string
	Here      string // address of the entry of the menu that is marked
	Menu      []entry
	Who       string
	SignOut   string
	Simulated bool
	Mistakes  []string
	File      string
	Tool      string
	Now       time.Time
	Body      T
}

type link struct{ Text, To string }

// entry is one of the menu, with how many wait there for a person; 0: none.
type entry struct {
	link
	Waiting int
	Says    string // what Waiting counts
}

// frame makes a page of a body. Everything in it that came from elsewhere is spelled out
// where it could not be seen as what it is.
func frame[T any](c *Console, r *http.Request, title, here string, body T) page[T] {
	p := page[T]{Title: title, Here: here, Simulated: c.o.Simulated, Tool: c.o.Tool, File: c.o.File, Now: c.o.Now(), Body: visible.Copy(body)}
	if title != "" { // a part of a page has no menu
		p.Menu = c.menu(r)
	}
	if c.o.Mistakes != nil {
		p.Mistakes = visible.Copy(c.o.Mistakes(r.Context()))
	}
	if c.o.Who != nil {
		if who, ok := c.o.Who(r); ok {
			p.Who = visible.Text(who.Name)
			if c.o.SignOut != nil {
				p.SignOut = c.o.SignOut(r)
			}
		}
	}
	return p
}

// menu has on every page how many approvals are wanted: they are asked for while somebody
// looks at something else.
func (c *Console) menu(r *http.Request) []entry {
	wanted := entry{link: link{"Approvals", "/approvals"}, Says: "wanted"}
	if all, err := c.o.Ops.Approvals(r.Context()); err == nil { // why not is said by their own page
		for _, s := range all {
			if s.Missing > 0 {
				wanted.Waiting++
			}
		}
	}
	plain := func(text, to string) entry { return entry{link: link{text, to}} }
	return []entry{plain("Estate", "/"), plain("Runs", "/runs"), plain("Calendar", "/calendar"), wanted, plain("Findings", "/findings"), plain("Evidence", "/evidence"), plain("Health", "/health")}
}

// show renders a page.
func show[T any](c *Console, w http.ResponseWriter, status int, name string, p page[T]) error {
	var b bytes.Buffer // whole or not at all
	if err := c.pages[name].ExecuteTemplate(&b, "frame", p); err != nil {
		return fmt.Errorf("render the page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
	return nil
}

// atNow is what a part of a page wants that tells how long ago something was.
type atNow struct {
	V   any
	Now time.Time
}

func queryEscape(s string) string { return url.QueryEscape(s) }

// credentialAt and runAt are the addresses of their pages.
func credentialAt(name string) string { return "/credentials/" + url.PathEscape(name) }
func runAt(id string) string          { return "/runs/" + url.PathEscape(id) }

func (c *Console) funcs() template.FuncMap {
	icons := readIcons()
	return template.FuncMap{
		"asset": c.address, "credential": credentialAt, "run": runAt,
		"icon": func(name string) template.HTML { return icon(icons, name) }, "stamp": func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"ago":  func(t, now time.Time) template.HTML { return timeHTML("ago", t, report.Ago(t, now)) },
		"at":   func(t time.Time) template.HTML { return timeHTML("at", t, t.UTC().Format("2 Jan 2006, 15:04 UTC")) },
		"age":  func(t, now time.Time) template.HTML { return timeHTML("age", t, report.Span(now.Sub(t))) },
		"told": toldHTML, "call": callHTML, "name": nameHTML, "anchor": anchor, "words": func(s string) []string { return strings.Split(s, " ") },
		"day": func(t time.Time) template.HTML { return timeHTML("day", t, t.UTC().Format("2 Jan 2006")) },
		"clock": func(t time.Time) template.HTML {
			return timeHTML("clock", t, t.UTC().Format("15:04:05"))
		},
		"when": func(t, now time.Time) template.HTML { // the day is said where it is not plain
			if d := t.Sub(now); d > 12*time.Hour || d < -12*time.Hour {
				return timeHTML("at", t, t.UTC().Format("2 Jan 2006, 15:04 UTC"))
			}
			return timeHTML("clock", t, t.UTC().Format("15:04:05"))
		},
		"zero":  func(t time.Time) bool { return t.IsZero() },
		"says":  func(l engine.Lease) string { return l.Says(c.o.Now()) },
		"span":  func(d time.Duration) string { return report.Span(d) },
		"short": func(f cred.Fingerprint) string { return f.Short() },
		"count": countAny,
		"join":  strings.Join,
		"who":   whoWords,
		"whoIs": func(w rotation.Who) string { return whoWords(w.Name, &w) },
		"nowOf": func(v any, now time.Time) atNow { return atNow{v, now} },
		"percent": func(f float64) string {
			return strconv.FormatFloat(100*min(max(f, 0), 1), 'f', 2, 64) + "%"
		},
		"lower":       strings.ToLower,
		"add":         func(a, b int) int { return a + b },
		"rows":        rowsFor,
		"begins":      beginsWords,
		"dated":       datedRows,
		"minus":       func(n int) int { return -n },
		"upTo":        func(rows []runRow, n int) []runRow { return rows[:min(n, len(rows))] },
		"unit":        func(f float64) string { return strconv.FormatFloat(max(f, 0.04), 'f', 3, 64) },
		"rest":        func(f float64) string { return strconv.FormatFloat(1-max(f, 0.04), 'f', 3, 64) },
		"between":     func(a, b time.Time) time.Duration { return b.Sub(a) },
		"overlapView": overlapViewOf, "barClass": barClass, "shownTone": shownTone, "shownIcon": shownIcon, "commandOf": commandOf,
	}
}

// countAny is count for the numbers of a journal too.
func countAny(n any, what string) (string, error) {
	switch n := n.(type) {
	case int:
		return count(n, what), nil
	case int64:
		return count(int(n), what), nil
	}
	return "", fmt.Errorf("%T is nothing to count with", n)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if what == "person" {
		return strconv.Itoa(n) + " people"
	}
	if strings.HasSuffix(what, "y") {
		what = strings.TrimSuffix(what, "y") + "ie"
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// timeHTML is a time for people and for app.js, which shows it by the reader's clock.
// Without scripts it is UTC, and says so where it is hovered over.
func timeHTML(kind string, t time.Time, text string) template.HTML {
	if t.IsZero() {
		return template.HTML(template.HTMLEscapeString(text))
	}
	u := t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-time="%s" title="%s">%s</time>`, u.Format(time.RFC3339), kind, u.Format("2006-01-02 15:04:05 UTC"), template.HTMLEscapeString(text)))
}

// whoWords is who did something, and how that is known.
func whoWords(name string, by *rotation.Who) string {
	switch {
	case by == nil:
		return name
	case by.Without != "":
		return name + ", without the role " + by.Without
	case strings.HasPrefix(by.How, "run: "), strings.HasPrefix(by.How, "schedule."): // rekey.yaml says so, and no person
		return name + " (" + by.How + ")"
	case by.Verified:
		return name + " (proven by " + by.How + ")"
	}
	return name + " (self-declared: " + by.How + ")"
}

// iconText has a line for each drawing: its name, and what stands within its svg. They
// are drawn so that no font has to be loaded; each stands beside its word.
//
//go:embed icons.txt
var iconText string

func readIcons() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(iconText) {
		if name, drawing, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			out[name] = drawing
		}
	}
	return out
}

func icon(icons map[string]string, name string) template.HTML {
	return template.HTML(`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">` + icons[name] + `</svg>`)
}
