package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTheReadmeShowsTheExampleThatIsCompiled(t *testing.T) {
	_, body, ok := strings.Cut(readText(t, "examples/upsert/main.go"), "func main() {\n")
	if !ok {
		t.Fatal("the example has no main")
	}
	body, _, _ = strings.Cut(body, "\n}\n")
	if !strings.Contains(readText(t, "README.md"), "```go\nfunc main() {\n"+body+"\n}\n```") {
		t.Error("README.md shows another main than examples/upsert/main.go")
	}
}

var mdLink = regexp.MustCompile(`\]\(([^)#:]+)\)`)

func TestLinksInTheDocumentsLeadSomewhere(t *testing.T) {
	for _, doc := range []string{"README.md", "docs/cli.md"} {
		for _, m := range mdLink.FindAllStringSubmatch(readText(t, doc), -1) {
			if _, err := os.Stat(filepath.Join("..", "..", filepath.Dir(doc), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s: %v", doc, err)
			}
		}
	}
}

// Every command line shown, in the documents and in the help, has to be one
// that the program understands.
func TestShownCommandsParse(t *testing.T) {
	texts := map[string]string{"README.md": readText(t, "README.md"), "docs/cli.md": readText(t, "docs/cli.md")}
	eachCommand(newRoot(&app{}), func(c *cobra.Command) { texts[c.CommandPath()+" --help"] = c.Example })
	shown := regexp.MustCompile(`(?m)^.*?(?:^\$? *|\| )tidelake ([a-z-].*)$`)
	lines := 0
	for where, text := range texts {
		for _, m := range shown.FindAllStringSubmatch(text, -1) {
			line, _, _ := strings.Cut(m[1], "  #")
			args := words(t, line)
			if end := slices.IndexFunc(args, func(w string) bool { return w == ">" || w == ">>" || w == "|" }); end >= 0 {
				args = args[:end]
			}
			lines++
			root := newRoot(&app{})
			cmd, rest, err := root.Find(args)
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil && !slices.Contains(args, "--help") {
				t.Errorf("%s shows %q: %v", where, line, err)
			}
		}
	}
	if lines < 50 {
		t.Errorf("only %d command lines found", lines)
	}
}

func TestTheReferenceHasEveryCommandAndFlag(t *testing.T) {
	doc := readText(t, "docs/cli.md")
	eachCommand(newRoot(&app{}), func(c *cobra.Command) {
		if !c.HasParent() || c.HasSubCommands() || c.Name() == "help" || c.Parent().Name() == "completion" {
			return
		}
		if !strings.Contains(doc, c.CommandPath()) {
			t.Errorf("docs/cli.md has no %q", c.CommandPath())
		}
		for _, line := range strings.Split(c.LocalNonPersistentFlags().FlagUsages(), "\n") {
			if _, flag, ok := strings.Cut(line, "--"); ok {
				if name := strings.Fields(flag)[0]; name != "help" && !strings.Contains(doc, "`--"+name) {
					t.Errorf("docs/cli.md has no --%s of %q", name, c.CommandPath())
				}
			}
		}
	})
}

func eachCommand(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		eachCommand(sub, f)
	}
}
