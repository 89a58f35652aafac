// SPDX-License-Identifier: Apache-2.0

package process

import (
	"slices"

	"seismo/internal/event"
)

// setting is what the commands of one place and user have in common. A relic
// refers to it.
type setting struct {
	path, cwd, tty, container         string
	userName, groupName, loginName    string
	userID, groupID, loginID, session int64
	hash                              []string
}

// settingSlots is how many settings are found again; another one in the same slot
// takes the place of the first, so hostile input costs copies, not memory.
const settingSlots = 256

// settingOf returns the setting of p: one that is known or a new one, fresh.
func (t *Table) settingOf(p *event.Process) (s *setting, fresh bool) {
	h := uint32(p.UserID)*31 + uint32(len(p.Cwd))
	for i := max(len(p.Path)-12, 0); i < len(p.Path); i++ {
		h = (h ^ uint32(p.Path[i])) * 16777619
	}
	slot := &t.settings[h%uint32(len(t.settings))]
	if *slot == nil || !(*slot).of(p) {
		*slot = &setting{path: p.Path, cwd: p.Cwd, tty: p.TTY, container: p.ContainerID,
			userName: p.UserName, groupName: p.GroupName, loginName: p.LoginUserName,
			userID: p.UserID, groupID: p.GroupID, loginID: p.LoginUserID, session: p.Session, hash: p.Hash}
		fresh = true
	}
	return *slot, fresh
}

// of reports whether p has the setting s.
func (s *setting) of(p *event.Process) bool {
	return s.path == p.Path && s.cwd == p.Cwd && s.tty == p.TTY && s.container == p.ContainerID &&
		s.userName == p.UserName && s.groupName == p.GroupName && s.loginName == p.LoginUserName &&
		s.userID == p.UserID && s.groupID == p.GroupID && s.loginID == p.LoginUserID && s.session == p.Session &&
		slices.Equal(s.hash, p.Hash) && (s.hash == nil) == (p.Hash == nil)
}
