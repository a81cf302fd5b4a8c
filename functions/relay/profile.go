package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// profile is how to reach a relay, as it is kept in a file.
type profile struct {
	URL    string `json:"url"`
	Token  string `json:"token"`
	Tenant string `json:"tenant,omitempty"`
}

// defaultProfile is the profile that is used if none is named.
const defaultProfile = "default"

var profileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// profileDir returns where profiles are kept.
func profileDir(inv *invocation) (string, error) {
	dir := inv.env("XDG_CONFIG_HOME")
	if dir == "" {
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "relay", "profiles"), nil
}

func profileFile(inv *invocation, name string) (string, error) {
	if !profileName.MatchString(name) {
		return "", usageError{fmt.Errorf(
			"%q is no name of a profile; a name has 1 to 63 of letters, digits, dots, - and _",
			name,
		)}
	}
	dir, err := profileDir(inv)
	return filepath.Join(dir, name+".json"), err
}

// loadProfile reads a profile. Error: os.ErrNotExist.
func loadProfile(inv *invocation, name string) (profile, error) {
	file, err := profileFile(inv, name)
	if err != nil {
		return profile{}, err
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return profile{}, usageError{fmt.Errorf(
			"there is no profile %s; relay login --profile %[1]s makes it: %w", name,
			os.ErrNotExist,
		)}
	}
	if err != nil {
		return profile{}, err
	}
	const others = 0o077
	if runtime.GOOS != "windows" && info.Mode()&others != 0 {
		return profile{}, fmt.Errorf(
			"%s has a token, and others may read it (mode %#o): run chmod 600 %[1]s", file,
			info.Mode().Perm(),
		)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return profile{}, err
	}
	var p profile
	if err := json.Unmarshal(content, &p); err != nil {
		return profile{}, fmt.Errorf("%s: %w; relay login writes it anew", file, err)
	}
	return p, nil
}

// save writes a profile and returns its file. Nobody else can read it.
func (p profile) save(inv *invocation, name string) (file string, err error) {
	if file, err = profileFile(inv, name); err != nil {
		return "", err
	}
	dir := filepath.Dir(file)
	const onlyMe = 0o700
	if err := os.MkdirAll(dir, onlyMe); err != nil {
		return "", err
	}
	content, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	next, err := os.CreateTemp(dir, name+"-*.new") // its mode is 0600
	if err != nil {
		return "", err
	}
	_, err = next.Write(append(content, '\n'))
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), file)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(next.Name()))
	}
	return file, nil
}

// tokenFor returns the token of a profile for this address; "": there is none.
func tokenFor(inv *invocation, url string) string {
	dir, err := profileDir(inv)
	if err != nil {
		return ""
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, f := range files {
		name, is := strings.CutSuffix(f.Name(), ".json")
		if !is {
			continue
		}
		p, err := loadProfile(inv, name)
		if err == nil && strings.TrimSuffix(p.URL, "/v1") == url && p.Tenant == "" {
			return p.Token
		}
	}
	return ""
}
