. ../extension.sh
served "$(seq -f 'n%g.example' 1 10000 | paste -sd, | sed 's/,/,DNS:/g')"
apiservice own
