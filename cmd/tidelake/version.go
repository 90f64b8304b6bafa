package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionInfo is what the build recorded about itself.
type versionInfo struct{ version, revision, goVersion, platform string }

// tableFormat is the release of Paimon whose files are read and written.
const tableFormat = "Apache Paimon 1.4"

func buildVersion() versionInfo {
	v := versionInfo{version: "(unknown)", goVersion: runtime.Version(), platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.revision = s.Value[:min(12, len(s.Value))] + v.revision
		case s.Key == "vcs.modified" && s.Value == "true":
			v.revision += "+changes"
		}
	}
	return v
}

func versionText() string {
	v := buildVersion()
	text := "tidelake " + v.version
	if v.revision != "" {
		text += " " + v.revision
	}
	return text + " (" + v.goVersion + " " + v.platform + ", tables of " + tableFormat + ")"
}

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version of this program", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			return a.say(versionText(), cell{"version", v.version}, cell{"revision", v.revision},
				cell{"go", v.goVersion}, cell{"platform", v.platform}, cell{"table_format", tableFormat})
		}}
}
