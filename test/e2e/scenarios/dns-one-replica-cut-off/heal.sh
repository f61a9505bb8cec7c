for n in 1 2 3; do nsenter --net=/run/netns/kd-node$n nft delete table inet deaf 2>/dev/null || true; done
