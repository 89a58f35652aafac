#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What people and their scripts do on a server, for a recording: livemix.sh FOLDER N does
# one round of it below FOLDER. N differs from round to round, and with it names and
# arguments. Nothing outside of FOLDER is changed; a tool that is not there is left out.

dir=$1/r$2 n=$2 port=$((20000 + $2 % 20000))
have() { command -v "$1" >/dev/null 2>&1; }
mkdir -p "$dir/src" "$dir/out" "$dir/old files" && cd "$dir" || exit 1
HOME=$dir
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH # as on servers: few searches in vain
export HOME PATH

# A small tree is made, searched, packed and moved about.
for i in 1 2 3 4 5 6 7 8; do
	printf 'name=part%s\nround=%s\npassword = none\nurl = https://example.org/%s/%s\n' "$i" "$n" "$n" "$i" >"src/part$i.conf"
	cp "src/part$i.conf" "out/part$i.$n.conf"
done
find . -name '*.conf' -size +1c -newer /etc/passwd -exec grep -l "round=$n" {} \; >found.txt
find "$dir/src" -type f -print0 | xargs -0 -n 2 sha256sum >sums.txt
grep -rniE "part[0-9]|pass(word|wd)" --include='*.conf' src | sort -t: -k3 | uniq -c | sort -rn | head -n 5 >top.txt
awk -F= -v n="$n" '$1 == "name" { print n, $2 }' src/*.conf | sed -e 's/part/teil/g' | tr a-z A-Z | cut -d' ' -f2 >names.txt
sed -i "s/none/secret-$n/" src/part1.conf src/part2.conf
tar -czf "backup-$n.tgz" src out && tar -tzf "backup-$n.tgz" | wc -l >/dev/null
mkdir unpacked && tar -xzf "backup-$n.tgz" -C unpacked --strip-components=1
gzip -k sums.txt && gunzip -c sums.txt.gz | cmp - sums.txt
base64 names.txt >names.b64 && base64 -d names.b64 >names.again && diff -u names.txt names.again
dd if=/dev/zero of=out/zero.bin bs=1024 count=4 status=none
split -b 1024 out/zero.bin out/zero.
mv out/part1."$n".conf 'old files/one, saved.conf' && mv out/part2."$n".conf out/.hidden
ln src/part3.conf out/hard && ln -s ../src/part4.conf out/soft
chmod 600 src/part5.conf && chmod u+x out/hard && touch -d '2 days ago' src/part6.conf
rm -f out/zero.a? out/soft && rmdir 'no such folder' 2>/dev/null
truncate -s 10 out/zero.bin && install -m 755 /bin/true out/tool && out/tool --round "$n" -v

# Somebody looks around.
id; whoami; hostname; uname -a; date -u +%F; uptime; df -h /; free -m; ls -la /tmp /etc/ssl; env | sort
ps aux | grep -v grep | grep -c "sh"; cat /etc/passwd | cut -d: -f1 | tail -n 3; head -c 64 /etc/os-release; stat -c %a /etc/shadow
cat /proc/version /proc/mounts; w; last -n 3; mount; which ls awk sudo; crontab -l; lsmod; ip addr; ss -tlnp; netstat -an; dmesg -T
for user in root daemon nobody; do getent passwd $user; groups $user; done

# Packages, languages, build tools.
have dpkg-query && { dpkg-query -W -f '${Package} ${Version}\n' "lib[a-c]*" | wc -l; dpkg -L bash | head -n 3; dpkg -S /bin/ls; }
have rpm && rpm -q bash coreutils
have perl && perl -e 'print join(",", map { $_ * $ARGV[0] } 1..5), "\n"' "$n"
[ $((n % 5)) = 1 ] && have python3 && python3 -c "import json, sys; json.dump({'round': $n}, sys.stdout)"
have openssl && { openssl rand -hex 16; echo "$n" | openssl enc -base64; openssl dgst -sha256 sums.txt; }
have jq && echo "{\"round\": $n}" | jq -c '.round + 1'
if have git; then
	git init -q repo && cp src/*.conf repo && cd repo &&
		git add . && git -c user.name=a -c user.email=a@example.org commit -qm "round $n" && git log --oneline -1 && git status -s
	cd "$dir" || exit 1
fi
if have make && have gcc; then
	printf 'int main(void) { return %s %% 7; }\n' "$n" >src/main.c
	printf 'all: out/main\nout/main: src/main.c\n\tgcc -O1 -Wall -o $@ $<\n' >Makefile
	make -s && out/main
fi
if have go && [ $((n % 5)) = 0 ]; then
	mkdir gomod && printf 'module example.org/r\n\ngo 1.21\n' >gomod/go.mod && printf 'package r\n\nconst N = %s\n' "$n" >gomod/r.go
	(cd gomod && GOCACHE=$1/gocache GOFLAGS=-mod=mod GOTOOLCHAIN=local go vet .)
fi

# Connections within the host, to ports where nobody answers and to one who does.
have curl && curl -s -m 2 -A "agent/$n" "http://127.0.0.1:$port/path/$n?q=1"
have nc && { nc -z -w 1 127.0.0.1 "$port"; nc -z -w 1 ::1 "$port"; }
have bash && bash -c "echo $n >/dev/tcp/127.0.0.1/$port"
[ $((n % 5)) = 1 ] && have python3 && python3 -c "
import socket
l = socket.create_server(('127.0.0.1', 0))
for i in range(4):
    c = socket.create_connection(l.getsockname()); s, _ = l.accept(); c.close(); s.close()"

# Another user, by way of PAM, and shells with words that a hunter looks for.
have su && su nobody -s /bin/sh -c "id -u; echo round $n"
sh -c "echo '* * * * * /tmp/job$n.sh' >cron.txt; cat cron.txt | base64 | base64 -d >/dev/null"
bash -c "history -c; export HISTFILE=/dev/null; nohup sleep 0.01 >/dev/null 2>&1 & wait"
sh -c "chmod +x out/hard; ./out/hard; rm -rf unpacked 'old files'"

cd / && rm -rf "$dir"
exit 0
