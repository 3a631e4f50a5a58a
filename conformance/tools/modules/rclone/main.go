// rclone with what bucket volumes need: S3, the local folder of its cache, and mount.
package main

import (
	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/backend/s3"
	"github.com/rclone/rclone/cmd"
	_ "github.com/rclone/rclone/cmd/mount"
)

func main() {
	cmd.Main()
}
