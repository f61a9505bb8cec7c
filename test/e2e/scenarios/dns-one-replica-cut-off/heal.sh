for n in 1 2 3; do nsenter --net=/run/netns/${PREFIX:-kd}-node$n nft delete table inet deaf 2>/dev/null || true; done
