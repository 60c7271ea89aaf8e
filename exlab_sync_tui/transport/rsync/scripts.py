"""What runs in the shell of an account? POSIX sh; the root is always the first argument, paths below it follow."""

TAKEN, GONE, TOO_LARGE = 17, 18, 19
"""Exit statuses of ours."""

START = """
printf '%s\\n' exlab-shell
cd -- "$1" && pwd -P
"""
LOOK = """
cd -- "$1" || exit 3
df -P -k . 2>/dev/null | tail -n 1
echo
[ -f "./$2" ] && cat "./$2"
exit 0
"""
FIND = """
cd -- "$1" || exit 3
if [ -L "./$2" ]; then echo link 0
elif [ -d "./$2" ]; then echo folder 0
elif [ -f "./$2" ]; then echo file "$(wc -c < "./$2")"
elif [ -e "./$2" ]; then echo special 0
fi
"""
READ = """
cd -- "$1" || exit 3
if [ -L "./$2" ] || [ ! -f "./$2" ]; then exit 18; fi
[ "$(wc -c < "./$2")" -le "$3" ] || exit 19
cat "./$2"
"""
WRITE = """
cd -- "$1" || exit 3
case $2 in */*) mkdir -p "./${2%/*}" || exit 1 ;; esac
cat > "./$2.exlab-part" || exit 1
sync "./$2.exlab-part" 2>/dev/null || sync
mv -f "./$2.exlab-part" "./$2"
"""
OPEN = """
cd -- "$1" || exit 3
if [ -f "./$2/$3" ]; then mkdir -p "./$2/$4" && cat "./$2/$3"; exit; fi
if [ -n "$(ls -A "./$2" 2>/dev/null)" ]; then exit 17; fi
mkdir -p "./$2/$4" || exit 1
cat > "./$2/$3.exlab-part" || exit 1
mv -f "./$2/$3.exlab-part" "./$2/$3"
"""
PUBLISH = """
cd -- "$1" || exit 3
if [ -e "./$3" ] || [ -L "./$3" ]; then exit 17; fi
[ -d "./$2" ] || exit 18
sync -f "./$2" 2>/dev/null || sync
if ! mv -nT -- "./$2" "./$3" 2>/dev/null; then
  if [ -e "./$3" ] || [ -L "./$3" ]; then exit 17; fi
  mv -n -- "./$2" "./$3" || exit 1
fi
if [ -e "./$2" ]; then exit 17; fi
sync -f "./$3" 2>/dev/null || sync
"""
MOVE = """
cd -- "$1" || exit 3
exec xargs -0 sh -c '
here=$1; there=$2; shift 2
for name do
  if [ -e "./$there/$name" ] || [ -L "./$there/$name" ]; then continue; fi
  case $name in */*) mkdir -p -- "./$there/${name%/*}" || exit 255 ;; esac
  if ln -- "./$here/$name" "./$there/$name" 2>/dev/null; then rm -f -- "./$here/$name"
  else mv -n -- "./$here/$name" "./$there/$name" || exit 255; fi
done' sh "$2" "$3"
"""
NAMES = """
cd -- "$1/$2" || exit 3
: > exlab-probe-a; [ -e EXLAB-PROBE-A ] && printf c; rm -f exlab-probe-a
: > "$3"; [ -e "$4" ] && printf n; rm -f "$3"
"""
