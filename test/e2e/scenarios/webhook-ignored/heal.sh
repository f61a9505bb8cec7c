. ../extension.sh
removed
