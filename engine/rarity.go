// SPDX-License-Identifier: Apache-2.0

// This file says how likely it is that a value meets a literal, from what paths,
// names and command lines look like on any system. It decides what a signal waits
// for (index.go) and at which gram a literal waits (gram.go): it can make the engine
// slower, never wrong.

package engine

import (
	"math"
	"strings"

	"seismo/internal/event"
)

// byteBits is about how many bits of information a byte of a folded value carries.
var byteBits = func() (t [256]float64) {
	for c := range t {
		switch {
		case strings.IndexByte("etaoinsrlcdm", byte(c)) >= 0:
			t[c] = 4
		case strings.IndexByte("/\\.: -_p", byte(c)) >= 0:
			t[c] = 4.5
		case 'a' <= c && c <= 'y' && strings.IndexByte("jkqvxy", byte(c)) < 0, '0' <= c && c <= '9':
			t[c] = 5.3
		case strings.IndexByte("jkqvxyz\"=,()", byte(c)) >= 0:
			t[c] = 6.5
		default:
			t[c] = 9
		}
	}
	return t
}()

// commonText is what values of many events hold on the systems we know: a literal
// that is a part of it is met often, whatever its length.
var commonText = []string{
	`c:\windows\system32\cmd.exe /c `, `c:\windows\syswow64\`, `c:\windows\system32\windowspowershell\v1.0\powershell.exe -`,
	`c:\windows\system32\svchost.exe -k `, `c:\program files (x86)\`, `c:\program files\`, `c:\programdata\`, `c:\windows\explorer.exe`,
	`c:\users\administrator\appdata\local\temp\`, `\appdata\roaming\microsoft\windows\`, `\pwsh.exe`, `.dll`, `\rundll32.exe`, `http://www.`, `https://`, `.com/`,
	`nt authority\system`, `powershell.exe -command `, `/bin/bash -c `, `/usr/bin/python3 `, `/bin/sh -c `, `/usr/local/bin/`, `/usr/sbin/`,
	`/usr/lib/x86_64-linux-gnu/`, `/usr/share/`, `/etc/systemd/system/`, `/var/lib/`, `/var/log/`, `/home/`, `/root/`, ` /tmp/`, ` /etc/`, ` /var/`, ` /usr/bin/`, `/proc/self/`, `/sys/`, `/dev/null`, ` --`,
	`/run/user/1000/`, `.service`, `.so.`, `.conf`, `.txt`, `.py`, `hklm\system\currentcontrolset\`, `hklm\software\microsoft\windows\currentversion\`,
}

func isCommon(lit string) bool {
	for _, s := range commonText {
		if strings.Contains(s, lit) {
			return true
		}
	}
	return false
}

// rarity is about how many bits of information the bytes of lit carry; those of
// common text carry less.
func rarity(lit string) float64 {
	sum := 0.0
	for i := range len(lit) {
		sum += byteBits[lit[i]]
	}
	if isCommon(lit) {
		sum -= 8
	}
	return sum
}

// oftenMet is the share of events that meet a literal which is a part of common text.
const oftenMet = 0.25

// chance estimates the share of events whose value of a column meets a literal under
// an anchor.
func chance(field event.Field, typ event.Type, at anchor, lit string) float64 {
	switch at {
	case anchorPresent:
		return 0.3
	case anchorList:
		return 0.02
	case anchorAddress:
		return 0.01
	case anchorNumber:
		if strings.HasSuffix(event.Describe(field).Name, "port") || typ != event.Integer {
			return 0.02
		}
		return 0.2
	}
	bits := 0.0
	for i := range len(lit) {
		bits += byteBits[lit[i]]
	}
	common := isCommon(lit)
	switch {
	case at == anchorIs && fewValues(field):
		return 0.2
	case at == anchorIs:
		return 0.001
	case common:
		return oftenMet
	case at == anchorContains:
		return min(oftenMet, 100*math.Exp2(-0.8*bits)+0.0005)
	}
	return min(oftenMet, math.Exp2(-0.35*bits)+0.001)
}

// fewValues reports whether the values of a field are few, so that each is met often.
func fewValues(f event.Field) bool {
	name := event.Describe(f).Name
	for _, end := range []string{".operation", "user_name", "group_name", "user_group", ".direction", ".protocol", ".type", ".result", ".tty", "_status", ".logon_type"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return f == event.UserName || f == event.UserEffectiveName || f == event.UserLoginName
}
