. ../one-family.sh
both_families
