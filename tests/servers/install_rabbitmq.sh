#!/bin/sh
# Installs RabbitMQ of another Debian release beside the machine's own: install_rabbitmq.sh RELEASE FOLDER
#
# Needs root and debootstrap. FOLDER then holds that release's /usr and /etc and, in FOLDER/programs, what starts
# them: each program runs in a mount namespace of its own where these two cover the machine's. All other folders
# (temporary ones, /proc, /dev) are the machine's, under the same paths, and no mount outlives its program.
set -eu
release="$1" folder="$2"
mkdir -p "$(dirname "$folder")"
exec 9>"$folder.lock"
flock 9 # another run may be installing the same
[ -x "$folder/programs/rabbitmq-server" ] && exit 0

root="$folder.new"
rm -rf "$root" "$folder"
unshare --mount --propagation private sh -euc '
    debootstrap --variant=minbase "$1" "$2" http://deb.debian.org/debian
    printf "#!/bin/sh\nexit 101\n" >"$2/usr/sbin/policy-rc.d" # packages must not start services
    chmod 755 "$2/usr/sbin/policy-rc.d"
    chroot "$2" apt-get install -y -qq --no-install-recommends rabbitmq-server
' sh "$release" "$root"
cp /etc/hosts "$root/etc/hosts"
for part in "$root"/* "$root"/.[!.]*; do
    case "$part" in "$root/usr" | "$root/etc") ;; *) rm -rf "$part" ;; esac
done

mkdir "$root/programs"
cat >"$root/programs/run" <<'END'
#!/bin/sh
# Runs the program of the name under which this is called.
folder="$(dirname "$(dirname "$(readlink -f "$0")")")"
exec unshare --mount --propagation private /bin/sh -c '
    mount --bind "$0/usr" /usr && mount --bind "$0/etc" /etc || exit 1
    PATH="/usr/lib/rabbitmq/bin:$PATH" exec "$@"' "$folder" "$(basename "$0")" "$@"
END
chmod 755 "$root/programs/run"
for program in rabbitmq-server rabbitmqctl rabbitmq-diagnostics rabbitmq-plugins epmd; do
    ln -s run "$root/programs/$program"
done
mv "$root" "$folder"
