package sop

import (
	_ "embed"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"text/template"
)

//go:embed first.yaml
var firstYAML string

// Answers are what a first rekey.yaml is made of.
type Answers struct {
	Name, Former, Folder, Environment, App, Address string
	// Works is an address whose answer shows that the app works; "": there is none.
	Works string
	// Simulate is the address of a simulated world, with whose short waits one can
	// watch; "": the real vendors.
	Simulate string
}

// Example reports whether that address is the example's.
func (a Answers) Example() bool { return a.Works == DefaultAnswers().Works }

// DefaultAnswers are those of the example.
func DefaultAnswers() Answers {
	return Answers{
		Name: "CF_ACCESS_SVC_CONSOLE", Former: "CF_ACCESS_SERVICE_TOKEN_CONSOLE", Folder: "/MooseQuest/cloudflare/", Environment: "prod",
		App: "raxx-console-prod", Address: "https://console.raxx.app/health",
		Works: "https://console.raxx.app/api/status/sites",
	}
}

// First is a plain rekey.yaml for one credential.
func First(a Answers) (string, error) {
	t, err := template.New("first").Parse(firstYAML)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, a); err != nil {
		return "", err
	}
	return b.String(), nil
}

// Question asks for one answer, and knows what is wrong with it.
type Question struct {
	Text  string
	Set   func(*Answers) *string
	None  bool // "none" is an answer
	Wrong func(answer string, sofar Answers) string
}

var (
	accessName = regexp.MustCompile(`^CF_ACCESS_SVC_[A-Z0-9]+(_[A-Z0-9]+)*$`)
	slotName   = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	folderName = regexp.MustCompile(`^/([A-Za-z0-9_-]+/)*$`)
	slug       = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	herokuName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,28}[a-z0-9]$`)
)

// Questions are what rekey init asks.
func Questions() []Question {
	matches := func(re *regexp.Regexp, want string) func(string, Answers) string {
		return func(answer string, _ Answers) string {
			if re.MatchString(answer) {
				return ""
			}
			return want
		}
	}
	return []Question{
		{Text: "Credential name, by the pattern CF_ACCESS_SVC_<SCOPE>", Set: func(a *Answers) *string { return &a.Name }, Wrong: matches(accessName, "a name looks like CF_ACCESS_SVC_CONSOLE: capitals, digits and underscores after CF_ACCESS_SVC_")},
		{Text: "A former name that still has to work, or none", None: true, Set: func(a *Answers) *string { return &a.Former }, Wrong: func(answer string, sofar Answers) string {
			switch {
			case answer == sofar.Name:
				return "that is the present name"
			case !slotName.MatchString(answer):
				return "a name has capitals, digits and underscores; none if there is none"
			}
			return ""
		}},
		{Text: "Infisical folder", Set: func(a *Answers) *string { return &a.Folder }, Wrong: matches(folderName, "a folder begins and ends with /, as /MooseQuest/cloudflare/")},
		{Text: "Infisical environment", Set: func(a *Answers) *string { return &a.Environment }, Wrong: matches(slug, "an environment is its slug: small letters, digits and dashes, as prod")},
		{Text: "Heroku app that uses it", Set: func(a *Answers) *string { return &a.App }, Wrong: matches(herokuName, "an app's name has 3 to 30 small letters, digits and dashes, and begins with a letter")},
		{Text: "Protected address that a good token opens", Set: func(a *Answers) *string { return &a.Address }, Wrong: address},
		{Text: "Address that answers 200 where the app works with it, or none", None: true, Set: func(a *Answers) *string { return &a.Works }, Wrong: address},
	}
}

func address(answer string, _ Answers) string {
	u, err := url.Parse(answer)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsAny(answer, " \"'{}<>#") {
		return "an address looks like https://console.example.com/health"
	}
	return ""
}

// Answered checks that a file made of these answers is right.
func Answered(a Answers) error {
	text, err := First(a)
	if err != nil {
		return err
	}
	c, err := Parse("rekey.yaml", []byte(text))
	if err == nil && len(c.Advice) > 0 && a.Works != "" { // without it advice is right
		err = fmt.Errorf("%s", c.Advice[0])
	}
	return err
}
